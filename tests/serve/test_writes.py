"""Writes over HTTP: once for each Idempotency-Key, written down, limited in number, and only for a key's own people."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from multiface import Gallery, Recognizer
from multiface.gallery.service import access_keys
from multiface.serve.problems import Problem
from multiface.serve.request_rate import RequestRate
from multiface.serve.serve_settings import ServeSettings
from tests.drawn_faces import drawn_face
from tests.serve.conftest import Client, encoded, key_for, serving

IMAGE = {"Content-Type": "image/jpeg"}
BOTH = ("people:read", "people:write")


@pytest.fixture
def clean(client: Client) -> Iterator[None]:
    """People that a test enrols are gone afterwards."""
    yield
    asked = client(*BOTH)
    for one in asked.get("/v1/people").json()["people"]:
        if one["name"] not in ("ada", "bob"):
            asked.delete(f"/v1/people/{one['person']}").raise_for_status()


@pytest.mark.usefixtures("clean")
def test_the_same_key_again_gets_the_same_answer_and_does_nothing(client: Client) -> None:
    asked = client(*BOTH)
    picture = encoded(drawn_face("cleo"))
    headers = IMAGE | {"Idempotency-Key": "enrol-1"}
    first = asked.post("/v1/people?name=Cleo&another=true", content=picture, headers=headers)
    again = asked.post("/v1/people?name=Cleo&another=true", content=picture, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true" and "idempotent-replayed" not in first.headers
    assert len(asked.get("/v1/people?q=Cleo").json()["people"]) == 1
    other = asked.post("/v1/people?name=Dora", content=picture, headers=headers)
    assert (other.status_code, other.json()["type"]) == (409, "urn:multiface:idempotency_key_reused")
    # Another key of the service has keys of its own.
    eve = client(*BOTH).post("/v1/people?name=Eve", content=encoded(drawn_face("dora")), headers=headers)
    assert eve.status_code == 201
    assert asked.post("/v1/people?name=x", headers={"Idempotency-Key": "two words"}).status_code == 400


def test_answers_that_are_kept_hold_no_key_and_nobody_who_was_removed(
    client: Client, gallery: Gallery
) -> None:
    def kept() -> str:
        with gallery.database.reading() as connection:
            rows = connection.execute("SELECT body FROM kept_answer WHERE body IS NOT NULL").fetchall()
        return "".join(bytes(body).decode() for (body,) in rows)

    asked, admin = client(*BOTH), client("admin")
    wanted, headers = {"name": "reader", "scopes": ["people:read"]}, {"Idempotency-Key": "a-key"}
    made = admin.post("/v1/keys", json=wanted, headers=headers)
    again = admin.post("/v1/keys", json=wanted, headers=headers)
    assert made.status_code == 201 and made.json()["key"] not in kept()
    assert (again.status_code, again.json()["type"]) == (409, "urn:multiface:shown_once")
    assert sum(one["name"] == "reader" for one in admin.get("/v1/keys").json()["keys"]) == 1
    enrolled = asked.post("/v1/people?name=Cleo", content=encoded(drawn_face("cleo")), headers=IMAGE)
    place = f"/v1/people/{enrolled.json()['person']}"
    asked.patch(place, json={"note": "Cleopatra VII"}, headers={"Idempotency-Key": "b"}).raise_for_status()
    assert "Cleopatra" in kept()
    asked.delete(place).raise_for_status()
    assert "Cleopatra" not in kept()


def test_a_patch_happens_wholly_or_not_at_all(client: Client) -> None:
    asked = client(*BOTH)
    ada, bob = (f"/v1/people/{one['person']}" for one in asked.get("/v1/people").json()["people"])
    asked.patch(bob, json={"external_id": "B7"}).raise_for_status()
    refused = asked.patch(ada, json={"name": "Adele", "external_id": "B7"})
    assert refused.status_code == 409 and asked.get(ada).json()["name"] == "ada"
    # What changes nothing is no change; the number of an earlier one would undo that.
    assert asked.patch(ada, json={"name": "ada"}).json()["undo"] is None
    asked.patch(bob, json={"external_id": ""}).raise_for_status()


def test_a_patch_is_one_change(client: Client) -> None:
    asked = client(*BOTH)
    ada = f"/v1/people/{asked.get('/v1/people').json()['people'][0]['person']}"
    before = asked.get(ada).json()
    done = asked.patch(ada, json={"name": "Adele", "note": "third floor", "groups": ["staff"]}).json()
    assert (done["name"], done["note"], done["groups"]) == ("Adele", "third floor", ["staff"])
    asked.post(f"/v1/changes/{done['undo']}/undo").raise_for_status()
    assert asked.get(ada).json() == before
    # What was changed again since is not undone.
    done = asked.patch(ada, json={"name": "Adele", "note": "third floor"}).json()
    again = asked.patch(ada, json={"name": "ada"}).json()
    assert asked.post(f"/v1/changes/{done['undo']}/undo").status_code == 409
    for one in (again, done):
        asked.post(f"/v1/changes/{one['undo']}/undo").raise_for_status()
    assert asked.get(ada).json() == before


def test_many_who_write_at_once(client: Client) -> None:
    """Of those who read the same person one changes it; and each hears the number of their own change."""
    asked = [client(*BOTH) for _ in range(6)]
    place = f"/v1/people/{asked[0].get('/v1/people').json()['people'][0]['person']}"
    undo: list[int] = []

    def change(one: httpx.Client, note: str, headers: dict[str, str]) -> int:
        answer = one.patch(place, json={"note": note}, headers=headers)
        if answer.status_code == 200:
            undo.append(answer.json()["undo"])
        return answer.status_code

    with ThreadPoolExecutor(len(asked)) as threads:
        for turn in range(12):
            tag = {"If-Match": asked[0].get(place).headers["etag"]}
            notes = [f"{turn} {k}" for k in range(len(asked))]
            codes = list(threads.map(change, asked, notes, [tag] * len(asked)))
            assert sorted(codes) == [200, *[412] * (len(asked) - 1)]
        for turn in range(6):
            list(threads.map(change, asked, [f"x{turn} {k}" for k in range(len(asked))], [{}] * len(asked)))
    assert len(set(undo)) == len(undo) == 12 + 6 * len(asked)
    asked[0].patch(place, json={"note": ""}).raise_for_status()


@pytest.mark.usefixtures("clean")
def test_a_form_made_anew_has_another_boundary_and_is_the_same_request(client: Client) -> None:
    asked = client(*BOTH)
    answers = [
        asked.post(
            "/v1/people?name=Cleo&another=true",
            files=[("pictures", ("1.jpg", encoded(drawn_face("cleo"))))],
            headers={"Idempotency-Key": "form"},
        )
        for _ in range(2)
    ]
    assert [one.status_code for one in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


@pytest.mark.usefixtures("clean")
def test_a_request_that_failed_may_be_made_again(client: Client) -> None:
    asked = client(*BOTH)
    headers = IMAGE | {"Idempotency-Key": "failed"}
    assert asked.post("/v1/people?name=Cleo", content=b"x", headers=headers).status_code == 422
    assert asked.post("/v1/people?name=Cleo", content=b"x", headers=headers).status_code == 422
    good = asked.post("/v1/people?name=Cleo", content=encoded(drawn_face("cleo")), headers=headers)
    assert good.status_code == 201


@pytest.mark.usefixtures("clean")
def test_what_was_cut_off_is_not_done_twice(client: Client, gallery: Gallery) -> None:
    asked, picture = client(*BOTH), encoded(drawn_face("cleo"))
    headers = IMAGE | {"Idempotency-Key": "cut-off"}
    wanted = "/v1/people?name=Cleo&another=true"
    assert asked.post(wanted, content=picture, headers=headers).status_code == 201
    for minutes, kind in ((1, "still_working"), (11, "cut_off")):
        made = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="seconds")
        with gallery.database.writing() as connection:  # as a process leaves it that dies before it answers
            connection.execute(
                "UPDATE kept_answer SET status = NULL, headers = NULL, body = NULL, made = ? "
                "WHERE idempotency_key = 'cut-off'",
                (made,),
            )
        again = asked.post(wanted, content=picture, headers=headers)
        assert (again.status_code, again.json()["type"]) == (409, f"urn:multiface:{kind}")
    assert len(asked.get("/v1/people?q=Cleo").json()["people"]) == 1


@pytest.mark.usefixtures("clean")
def test_the_same_key_at_once_is_done_once(client: Client) -> None:
    asked, picture = client(*BOTH), encoded(drawn_face("cleo"))
    answers = list[httpx.Response]()

    def ask() -> None:
        answers.append(
            asked.post(
                "/v1/people?name=Cleo&another=true",
                content=picture,
                headers=IMAGE | {"Idempotency-Key": "at-once"},
            )
        )

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = sorted(one.status_code for one in answers)
    assert codes.count(201) >= 1 and set(codes) <= {201, 409}
    busy = [one for one in answers if one.status_code == 409]
    assert all(one.json()["type"] == "urn:multiface:still_working" for one in busy)
    assert all(one.headers["retry-after"] == "1" for one in busy)
    assert len(asked.get("/v1/people?q=Cleo").json()["people"]) == 1


@pytest.mark.usefixtures("clean")
def test_changes_are_written_down_without_names(client: Client) -> None:
    asked, admin = client(*BOTH), client("admin")
    picture = encoded(drawn_face("cleo"))
    made = asked.post("/v1/people?name=Secretname", content=picture, headers=IMAGE)
    person = made.json()["person"]
    asked.patch(f"/v1/people/{person}", json={"note": "Secretnote"})
    asked.delete("/v1/people/p_0000000000000000")
    text = admin.get("/v1/audit").text
    entries = admin.get("/v1/audit").json()["entries"]
    assert [(one["method"], one["route"], one["status"]) for one in entries[:3]] == [
        ("DELETE", "/v1/people/{person}", 404),
        ("PATCH", "/v1/people/{person}", 200),
        ("POST", "/v1/people", 201),
    ]
    assert entries[1]["ids"] == {"person": person} and entries[2]["request"] == made.headers["x-request-id"]
    assert "Secret" not in text
    older = admin.get("/v1/audit", params={"before": entries[0]["number"], "limit": 1}).json()
    assert older["entries"] == entries[1:2] and older["next"] == entries[1]["number"]
    assert asked.get("/v1/audit").status_code == 403
    # Reads and questions are not changes.
    client("recognise").post("/v1/identify", content=picture, headers=IMAGE)
    assert admin.get("/v1/audit").json()["entries"][0]["number"] == entries[0]["number"]


def test_a_key_for_groups_reaches_nobody_else(client: Client, gallery: Gallery, address: str) -> None:
    admin = client("admin")
    people = {one["name"]: one["person"] for one in admin.get("/v1/people").json()["people"]}
    admin.patch(f"/v1/people/{people['ada']}", json={"groups": ["staff"]}).raise_for_status()
    with gallery.database.writing() as connection:
        text = access_keys.new_key(
            connection, "door", ("recognise", "people:read", "people:write"), groups=["staff"]
        )[1]
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {text}"}, timeout=60) as door:
        assert [one["name"] for one in door.get("/v1/people").json()["people"]] == ["ada"]
        assert door.get("/v1/groups").json() == {"groups": [{"group": "staff", "people": 1}]}
        for method, path, body in (
            ("GET", f"/v1/people/{people['bob']}", None),
            ("PATCH", f"/v1/people/{people['bob']}", {"note": "x"}),
            ("DELETE", f"/v1/people/{people['bob']}", None),
            ("GET", f"/v1/people/{people['bob']}/faces", None),
            ("GET", f"/v1/people/{people['bob']}/kept", None),
            ("POST", f"/v1/people/{people['ada']}/merge", {"person": people["bob"]}),
            ("POST", f"/v1/people/{people['bob']}/merge", {"person": people["ada"]}),
            ("GET", f"/v1/changes?person={people['bob']}", None),
        ):
            assert door.request(method, path, json=body).status_code == 404, path
        assert door.get("/v1/changes").status_code == 403
        assert door.patch(f"/v1/people/{people['ada']}", json={"groups": ["board"]}).status_code == 403

        def names(asked: httpx.Client, who: str, query: str = "") -> list[str | None]:
            answer = asked.post(f"/v1/identify{query}", content=encoded(drawn_face(who, 7)), headers=IMAGE)
            return [face["name"] for face in answer.json()["pictures"][0]["faces"]]

        assert names(door, "ada") == ["ada"] and names(door, "bob") == [None]
        assert names(admin, "bob") == ["bob"] and names(admin, "bob", "?group=staff") == [None]
        ranked = door.post("/v1/search", content=encoded(drawn_face("bob", 7)), headers=IMAGE).json()
        assert "bob" not in str(ranked)
        assert door.post("/v1/identify?group=board", content=b"x", headers=IMAGE).status_code == 403
        # Whom it enrols is among its people, also where a name is somebody else's whom it does not see.
        made = door.post("/v1/people?name=bob", content=encoded(drawn_face("cleo")), headers=IMAGE)
        assert made.status_code == 201 and made.json()["person"] != people["bob"]
        assert door.get(f"/v1/people/{made.json()['person']}").json()["groups"] == ["staff"]
        door.delete(f"/v1/people/{made.json()['person']}").raise_for_status()
        for path in ("/v1/photos", "/v1/strangers", "/v1/keys", "/v1/jobs"):
            assert door.get(path).status_code == 403, path
        assert door.post("/v1/strangers/1/name", json={"name": "x"}).status_code == 403
    admin.patch(f"/v1/people/{people['ada']}", json={"groups": []}).raise_for_status()


def test_keys_over_http(client: Client, address: str) -> None:
    admin = client("admin")
    made = admin.post("/v1/keys", json={"name": "reader", "scopes": ["people:read"], "days": 3}).json()
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {made['key']}"}) as reader:
        assert reader.get("/v1/people").status_code == 200
        assert reader.get("/v1/keys").status_code == 403
        listed = admin.get("/v1/keys")
        assert made["key"] not in listed.text and made["id"] in listed.text
        admin.delete(f"/v1/keys/{made['id']}").raise_for_status()
        assert reader.get("/v1/people").status_code == 401
    assert admin.delete("/v1/keys/nothing").status_code == 404
    for wrong in (
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["pictures:read"], "groups": ["staff"]},
        {"name": "x", "scopes": ["people:read"], "days": 0},
    ):
        assert admin.post("/v1/keys", json=wrong).status_code == 422, wrong


def test_a_key_that_asks_too_often_waits(recognizer: Recognizer, gallery: Gallery) -> None:
    with serving(recognizer, ServeSettings(rate=0.001, each_key=1)) as address:
        key, other = key_for(gallery, "people:read"), key_for(gallery, "people:read")
        with httpx.Client(base_url=address) as asked:
            codes = [
                asked.get("/v1/people", headers={"Authorization": f"Bearer {key}"}).status_code
                for _ in range(8)
            ]
            assert codes[:2] == [200] * 2 and 429 in codes[2:]
            late = asked.get("/v1/people", headers={"Authorization": f"Bearer {key}"})
            if late.status_code == 429:
                assert late.headers["retry-after"] == "1"
            assert asked.get("/v1/people", headers={"Authorization": f"Bearer {other}"}).status_code == 200
            assert asked.get("/livez").status_code == 200


def test_a_bucket_fills_at_its_rate() -> None:
    now = [0.0]
    rate = RequestRate(2.0, lambda: now[0])
    taken = [_taken(rate) for _ in range(6)]
    assert taken == [True] * 4 + [False] * 2
    now[0] += 0.5
    assert [_taken(rate), _taken(rate)] == [True, False]
    now[0] += 3600
    assert [_taken(rate) for _ in range(5)] == [True] * 4 + [False]
    assert _taken(rate, "another key")


def _taken(rate: RequestRate, key: str = "a") -> bool:
    try:
        rate.take(key)
    except Problem as problem:
        assert problem.status == 429
        return False
    return True
