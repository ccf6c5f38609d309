"""Albums over HTTP: a folder scanned by a job, photos found, strangers named, faces corrected, everything undone."""

import io
import json
import os
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import PIL.Image
import pytest

from multiface import Client, Recognizer, RecognizerSettings
from multiface.serve.serve_settings import ServeSettings
from tests.drawn_faces import drawn_face, save_people
from tests.serve.conftest import key_for, serving

ALL = ("people:read", "people:write", "pictures:read", "recognise", "admin")


def side_by_side(*names: str, number: int = 5) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.concatenate([drawn_face(name, number) for name in names], axis=1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ada alone; Ada with Bob; Cleo twice; a file that is no picture."""
    folder = tmp_path_factory.mktemp("photos")
    for name, picture in {
        "1-ada": side_by_side("ada"),
        "2-both": side_by_side("ada", "bob"),
        "3-cleo": drawn_face("cleo"),
        "4-cleo": np.asarray(  # another view, no copy of the first
            PIL.Image.fromarray(drawn_face("cleo")).resize((290, 200)).crop((45, 0, 245, 200))
        ),
    }.items():
        PIL.Image.fromarray(picture).save(folder / f"{name}.jpg", quality=95)
        day = 1_700_000_000 + 86_400 * int(name[0])  # each of another day: not one burst
        os.utime(folder / f"{name}.jpg", (day, day))
    (folder / "broken.jpg").write_bytes(b"not a picture")
    return folder


@pytest.fixture(scope="module")
def asked(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a service whose album has been scanned."""
    place = tmp_path_factory.mktemp("album")
    people = save_people(place / "people", {"ada": 3, "bob": 3})
    settings = RecognizerSettings(threads=2, rate=0.001)
    with (
        Recognizer(gallery=place / "g.sqlite", create=True, settings=settings) as recognizer,
        serving(recognizer, ServeSettings(rate=0.001, backups=str(place / "backups"))) as address,
    ):
        recognizer.sync(people)
        assert recognizer.gallery is not None
        key = key_for(recognizer.gallery, *ALL)
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
            answer = client.post("/v1/albums", json={"folder": str(photos)})
            assert answer.status_code == 202
            job = ended(client, answer)
            assert job["state"] == "done", job
            assert job["result"]["searched"] == 4 and len(job["result"]["left_out"]) == 1
            yield client


def ended(client: httpx.Client, answer: httpx.Response, seconds: float = 60) -> dict[str, Any]:
    """The job of a 202, when it has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        job = client.get(answer.headers["location"]).json()
        if job["ended"] is not None:
            return dict(job)
        time.sleep(0.1)
    raise AssertionError(job)


def person(client: httpx.Client, name: str) -> str:
    (one,) = client.get("/v1/people", params={"q": name}).json()["people"]
    return str(one["person"])


def shown(answer: httpx.Response) -> list[list[str | None]]:
    assert answer.status_code == 200, answer.text
    return [sorted((face["name"] or "?") for face in photo["faces"]) for photo in answer.json()["photos"]]


def test_photos_are_found_by_who_is_in_them(asked: httpx.Client) -> None:
    ada, bob = person(asked, "ada"), person(asked, "bob")
    assert shown(asked.get("/v1/photos", params={"person": ada})) == [["ada"], ["ada", "bob"]]
    assert shown(asked.get("/v1/photos", params={"person": [ada, bob]})) == [["ada", "bob"]]
    assert shown(asked.get("/v1/photos", params={"person": ada, "only": True})) == [["ada"]]
    assert shown(asked.get("/v1/photos", params={"person": ada, "without": bob})) == [["ada"]]
    assert len(shown(asked.get("/v1/photos", params={"person": [ada, bob], "any": True}))) == 2
    assert shown(asked.get("/v1/photos", params={"unknown": True})) == [["?"], ["?"]]
    assert shown(asked.get(f"/v1/people/{ada}/photos")) == [["ada"], ["ada", "bob"]]
    assert asked.get("/v1/photos", params={"person": "p_0000000000000000"}).status_code == 404
    assert asked.get("/v1/photos", params={"since": "yesterday"}).status_code == 422


def test_pages_of_photos(asked: httpx.Client) -> None:
    everything = [one["photo"] for one in asked.get("/v1/photos").json()["photos"]]
    seen, cursor = list[int](), None
    while True:
        page = asked.get("/v1/photos", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [one["photo"] for one in page["photos"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == everything and len(everything) == 4


def test_a_photo_is_shown_upright_and_small(asked: httpx.Client) -> None:
    photo = asked.get("/v1/photos").json()["photos"][1]
    answer = asked.get(f"/v1/photos/{photo['photo']}/picture", params={"side": 100})
    assert answer.headers["content-type"] == "image/jpeg"
    with PIL.Image.open(answer) as picture:
        assert max(picture.size) == 100
    assert "folder" not in json.dumps(photo) and "/" not in json.dumps(photo["faces"])
    assert asked.get("/v1/photos/99999/picture").status_code == 404
    assert asked.get("/v1/photos/1/picture", params={"side": 99999}).status_code == 422


def test_strangers_are_named_corrected_and_put_back(asked: httpx.Client) -> None:
    (stranger,) = asked.get("/v1/strangers").json()["strangers"]
    number = stranger["stranger"]
    assert len(stranger["faces"]) == 2 and stranger["sightings"] == 2
    faces = [face["face"] for face in stranger["faces"]]
    (short,) = asked.get("/v1/strangers?faces=1").json()["strangers"]
    assert short == stranger | {"faces": stranger["faces"][:1], "all_faces": 2}
    assert asked.get(f"/v1/strangers/{number}").json() == stranger
    assert asked.get("/v1/strangers/99999").status_code == 404

    ignored = asked.post(f"/v1/strangers/{number}/ignore", json={"ignored": True}).json()
    assert asked.get("/v1/strangers").json()["strangers"] == []
    assert [one["stranger"] for one in asked.get("/v1/strangers?ignored=true").json()["strangers"]] == [
        number
    ]
    assert asked.post(f"/v1/changes/{ignored['undo']}/undo").status_code == 200

    parted = asked.post(f"/v1/strangers/{number}/split", json={"faces": faces[:1]}).json()
    assert len(asked.get("/v1/strangers").json()["strangers"]) == 2
    other = parted["stranger"]
    (alike,) = asked.get(f"/v1/strangers/{number}/alike").json()["strangers"]
    assert alike["stranger"] == other and 0.5 < alike["similarity"] < 1.0
    assert asked.get("/v1/strangers/99999/alike").status_code == 404
    key = asked.headers["authorization"].removeprefix("Bearer ")
    with Client(str(asked.base_url), key) as client:
        (same,) = client.alike_strangers(number)
        assert (same.group.number, same.similarity) == (other, alike["similarity"])
        assert same.group in list(client.strangers())
    assert asked.post(f"/v1/strangers/{number}/merge", json={"stranger": other}).status_code == 200
    assert asked.post(f"/v1/strangers/{number}/merge", json={"stranger": number}).status_code == 422
    assert asked.post(f"/v1/strangers/{number}/split", json={"faces": [99999]}).status_code == 422

    named = asked.post(f"/v1/strangers/{number}/name", json={"name": "Cleo"}).json()
    assert asked.post(f"/v1/changes/{named['undo']}/undo").status_code == 200
    assert [one["stranger"] for one in asked.get("/v1/strangers").json()["strangers"]] == [number]
    named = asked.post(f"/v1/strangers/{number}/name", json={"name": "Cleo"}).json()
    cleo = named["person"]
    assert shown(asked.get("/v1/photos", params={"person": cleo})) == [["Cleo"], ["Cleo"]]
    assert asked.get(f"/v1/people/{cleo}/kept").json()["places"][2] == {
        "place": "album_faces", "count": 2, "days": None,
    }  # fmt: skip
    several = asked.post("/v1/faces/not", json={"faces": faces, "person": cleo}).json()
    assert shown(asked.get("/v1/photos", params={"person": cleo})) == []
    assert asked.post(f"/v1/changes/{several['undo']}/undo").status_code == 200
    assert shown(asked.get("/v1/photos", params={"person": cleo})) == [["Cleo"], ["Cleo"]]
    wrong = asked.patch(f"/v1/faces/{faces[0]}", json={"not": cleo}).json()
    assert wrong["person"] is None and wrong["by_hand"] is False
    assert len(shown(asked.get("/v1/photos", params={"person": cleo}))) == 1
    assert asked.post(f"/v1/changes/{wrong['undo']}/undo").status_code == 200
    assert asked.patch(f"/v1/faces/{faces[0]}", json={"person": cleo}).json()["by_hand"] is True
    assert asked.patch(f"/v1/faces/{faces[0]}", json={}).status_code == 422
    assert asked.patch(f"/v1/faces/{faces[0]}", json={"name": "A", "ignored": True}).status_code == 422
    asked.delete(f"/v1/people/{cleo}").raise_for_status()
    assert shown(asked.get("/v1/photos", params={"unknown": True})) == []


def test_everything_that_is_kept_of_a_person_is_handed_out(asked: httpx.Client) -> None:
    ada = person(asked, "ada")
    answer = asked.get(f"/v1/people/{ada}/export")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        facts = json.loads(archive.read("person.json"))
        vectors = np.load(io.BytesIO(archive.read("templates.npy")), allow_pickle=False)
        names = archive.namelist()
    assert (facts["person"], facts["name"]) == (ada, "ada") and vectors.shape == (3, 128)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert sorted(one["files"][0] for one in facts["faces"]) == ["1-ada.jpg", "2-both.jpg"]
    assert len([name for name in names if name.startswith("templates/")]) == 3
    assert len([name for name in names if name.startswith("faces/")]) == 2
    kept = {one["place"]: one["count"] for one in asked.get(f"/v1/people/{ada}/kept").json()["places"]}
    assert (kept["templates"], kept["crops"], kept["album_faces"]) == (3, 3, 2)
    assert len(facts["changes"]) == kept["changes"]
    assert asked.get("/v1/people/p_0000000000000000/export").status_code == 404


def test_a_face_is_drawn(asked: httpx.Client) -> None:
    photo = asked.get("/v1/photos").json()["photos"][0]
    before = len(photo["faces"])
    drawn = {"box": [1, 1, 40, 40], "name": "Dora"}
    face = asked.post(f"/v1/photos/{photo['photo']}/faces", json=drawn)
    assert face.status_code == 201 and face.json()["name"] == "Dora" and face.json()["by_hand"]
    assert len(asked.get(f"/v1/photos/{photo['photo']}").json()["faces"]) == before + 1
    twice = asked.post(f"/v1/photos/{photo['photo']}/faces", json={"box": [50, 50, 90, 90], "name": "Dora"})
    assert twice.status_code == 409  # nobody is in one photo twice; and no drawn face is left behind
    assert len(asked.get(f"/v1/photos/{photo['photo']}").json()["faces"]) == before + 1
    outside = {"box": [0, 0, 99999, 10]}
    assert asked.post(f"/v1/photos/{photo['photo']}/faces", json=outside).status_code == 422
    asked.delete(f"/v1/people/{face.json()['person']}").raise_for_status()


def test_sprites_are_one_picture_of_many_faces(asked: httpx.Client) -> None:
    people = [one["person"] for one in asked.get("/v1/people").json()["people"]]
    nobody = "p_0000000000000000"
    sheet = asked.get("/v1/sprites/people", params={"person": [*people, nobody]})
    with PIL.Image.open(sheet) as picture:
        assert picture.size == (112, 112 * 3)
        tiles = np.asarray(picture.convert("RGB")).reshape(3, 112, 112, 3)
    assert tiles[0].std() > 20 and tiles[1].std() > 20
    assert abs(float(tiles[2][0, 0].mean()) - 128) < 6  # nobody: a grey tile
    faces = [f["face"] for p in asked.get("/v1/photos").json()["photos"] for f in p["faces"]]
    with PIL.Image.open(asked.get("/v1/sprites/faces", params={"face": faces[:2]})) as picture:
        assert picture.size == (112, 224)
    templates = asked.get(f"/v1/people/{people[0]}/faces").json()["faces"]
    with PIL.Image.open(
        asked.get("/v1/sprites/templates", params={"template": [one["face"] for one in templates]})
    ) as picture:
        assert picture.size == (112, 112 * len(templates))
    assert asked.get("/v1/sprites/people", params={"person": ["x"]}).status_code == 422
    assert asked.get("/v1/sprites/faces", params={"face": [1] * 101}).status_code == 422


def test_a_job_is_followed_until_it_ends(asked: httpx.Client, photos: Path) -> None:
    (album,) = asked.get("/v1/albums").json()["albums"]
    assert (album["folder"], album["photos"]) == (str(photos), 5)
    answer = asked.post(f"/v1/albums/{album['album']}/scan")
    states = list[str]()
    with asked.stream("GET", f"{answer.headers['location']}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("data: "):
                states.append(json.loads(line.removeprefix("data: "))["state"])
    assert states[-1] == "done"
    assert asked.get("/v1/jobs").json()["jobs"][0]["job"] == answer.json()["job"]
    assert asked.get("/v1/jobs/j_nothing").status_code == 404
    assert asked.post("/v1/albums", json={"folder": "relative"}).status_code == 422
    assert asked.post("/v1/albums", json={"folder": "/no/such/folder"}).status_code == 404


def test_a_backup_is_an_archive_of_everybody(asked: httpx.Client, tmp_path: Path) -> None:
    from multiface.gallery import opened_archive

    job = ended(asked, asked.post("/v1/backup"))
    loaded = asked.get(job["result"]["download"])
    assert loaded.status_code == 200
    file = tmp_path / "b.mfgallery"
    file.write_bytes(loaded.content)
    assert opened_archive(file).manifest.people == job["result"]["people"] == 2
    assert asked.get("/v1/backup/" + "0" * 32).status_code == 404
    assert asked.get("/v1/backup/..%2f..%2fetc").status_code in (404, 422)


def test_how_sure_the_answers_are(asked: httpx.Client) -> None:
    document = asked.get("/v1/strictness").json()
    thresholds = [one["threshold"] for one in document["curve"]]
    assert thresholds == sorted(thresholds, reverse=True) and document["threshold"] in thresholds
    assert document["people"] == 2 and "LFW" in document["calibration"]
    own = ended(asked, asked.post("/v1/strictness/check"))["result"]
    assert (own["people"], own["pictures"]) == (2, 6)
    assert own["recognised"] + own["unknown"] + len(own["mistaken"]) == 6
    (pair,) = asked.get("/v1/alike").json()["pairs"]
    assert {one["name"] for one in pair["people"]} == {"ada", "bob"} and -1 <= pair["similarity"] < 1


def test_names_go_into_sidecars(asked: httpx.Client, photos: Path) -> None:
    job = ended(asked, asked.post("/v1/photos/names"))
    assert job["state"] == "done" and job["result"]["written"] >= 2
    assert "ada" in (photos / "1-ada.jpg.xmp").read_text() + (
        (photos / "1-ada.xmp").read_text() if (photos / "1-ada.xmp").exists() else ""
    )


def test_an_album_is_forgotten(asked: httpx.Client, photos: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    PIL.Image.fromarray(side_by_side("bob", number=9)).save(more / "b.jpg")
    ended(asked, asked.post("/v1/albums", json={"folder": str(more)}))
    by_folder = {one["folder"]: one["album"] for one in asked.get("/v1/albums").json()["albums"]}
    assert set(by_folder) == {str(photos), str(more)}
    assert asked.delete(f"/v1/albums/{by_folder[str(more)]}").json() == {"forgotten": 1}
    assert [one["folder"] for one in asked.get("/v1/albums").json()["albums"]] == [str(photos)]
    assert (more / "b.jpg").exists()


def test_a_service_that_only_reads_answers_what_was_decided_last(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after people have changed; nothing is decided anew, and so nothing is written."""
    from multiface import Album
    from multiface.album import album as album_module

    settings = RecognizerSettings(threads=2, rate=0.001)
    with Recognizer(gallery=tmp_path / "g.sqlite", create=True, settings=settings) as recognizer:
        recognizer.sync(save_people(tmp_path / "people", {"ada": 3}))
        Album(recognizer).scan([photos])
        recognizer.enroll("bob", drawn_face("bob"))

        def never(*_: object) -> None:
            raise AssertionError("something was decided anew")

        monkeypatch.setattr(album_module, "refresh", never)
        with serving(recognizer, ServeSettings(rate=0.001, read_only=True, keys=False)) as address:
            answer = httpx.get(f"{address}/v1/photos")
            assert shown(answer)[:2] == [["ada"], ["?", "ada"]]
            assert httpx.get(f"{address}/v1/strangers").status_code == 200
            assert httpx.post(f"{address}/v1/albums", json={"folder": "/x"}).status_code == 403
