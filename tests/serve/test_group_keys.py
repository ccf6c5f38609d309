"""Keys for groups of people: neither undoing nor an error's words reach anybody else."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from multiface import Recognizer, RecognizerSettings
from multiface.gallery import changes
from multiface.gallery.service import access_keys
from multiface.serve.serve_settings import ServeSettings
from tests.drawn_faces import drawn_face
from tests.serve.conftest import encoded, key_for, serving

IMAGE = {"Content-Type": "image/jpeg"}


class House:
    """A service of Ada, who is staff, and Bob, who is not. admin: for everybody. door: a key for staff."""

    def __init__(self, recognizer: Recognizer, address: str) -> None:
        assert recognizer.gallery is not None
        self.gallery = recognizer.gallery
        with self.gallery.database.writing() as connection:
            scopes = ("recognise", "people:read", "people:write")
            door = access_keys.new_key(connection, "door", scopes, groups=["staff"])[1]
        self.admin, self.door = (
            httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60)
            for key in (key_for(self.gallery, "admin"), door)
        )
        self.ada, self.bob = (one.id for one in self.gallery.people())
        self.gallery.edit(self.ada, groups=["staff"])


@pytest.fixture
def house(people_pictures: Path, tmp_path: Path) -> Iterator[House]:
    settings = RecognizerSettings(threads=2, rate=0.001)
    with Recognizer(gallery=tmp_path / "g.sqlite", create=True, settings=settings) as recognizer:
        recognizer.sync(people_pictures)
        with serving(recognizer, ServeSettings(rate=0.001)) as address:
            made = House(recognizer, address)
            with made.admin, made.door:
                yield made


def test_it_undoes_what_is_about_its_people_alone(house: House) -> None:
    made = house.door.post("/v1/people?name=Cleo", content=encoded(drawn_face("cleo")), headers=IMAGE).json()
    merged = house.door.post(f"/v1/people/{house.ada}/merge", json={"person": made["person"]}).json()
    assert house.door.post(f"/v1/changes/{merged['undo']}/undo").status_code == 200
    assert house.door.get(f"/v1/people/{made['person']}").json()["groups"] == ["staff"]
    # Ada was on the board before; whom the key may not put there, it does not put there by undoing either.
    house.gallery.edit(house.ada, groups=["staff", "board"])
    house.gallery.edit(house.ada, groups=["staff"])
    (edit,) = house.gallery.changes(house.ada, 1)
    assert house.door.post(f"/v1/changes/{edit.id}/undo").status_code == 403
    # What was said of unknown people of photos names nobody, and is about everybody.
    with house.gallery.database.writing() as connection:
        facts = {"faces": [], "not": [], "strangers": [], "removed": [], "templates": [], "made": []}
        ignored = changes.record(connection, "album", [], facts)
    assert house.door.post(f"/v1/changes/{ignored}/undo").status_code == 403
    assert house.admin.post(f"/v1/changes/{ignored}/undo").status_code == 200
    # Bob was merged into Ada by somebody who may.
    house.gallery.merge(house.ada, house.bob)
    (merge,) = house.gallery.changes(house.ada, 1)
    assert house.door.post(f"/v1/changes/{merge.id}/undo").status_code == 404
    assert house.bob not in house.door.get(f"/v1/changes?person={house.ada}").text


def test_whom_it_makes_is_in_its_groups_in_the_same_change(house: House) -> None:
    """Killed between two changes, it would have made somebody whom it cannot see."""
    made = house.door.post("/v1/people?name=Cleo", content=encoded(drawn_face("cleo")), headers=IMAGE).json()
    more = house.door.post(
        f"/v1/people/{made['person']}/faces", content=encoded(drawn_face("cleo", 1)), headers=IMAGE
    )
    more.raise_for_status()
    face = house.door.get(f"/v1/people/{made['person']}/faces").json()["faces"][1]["face"]
    split = house.door.post(
        f"/v1/people/{made['person']}/split", json={"faces": [face], "name": "Dora"}
    ).json()
    for who, kinds in ((made["person"], ["split", "enrol", "enrol"]), (split["to"], ["split"])):
        assert house.door.get(f"/v1/people/{who}").json()["groups"] == ["staff"]
        assert [one.kind for one in house.gallery.changes(who)] == kinds


def test_no_error_tells_of_others(house: House) -> None:
    house.gallery.edit(house.bob, external_id="B7", note="a secret")
    made = house.door.post("/v1/people?name=Cleo", content=encoded(drawn_face("cleo")), headers=IMAGE).json()
    for answer in (
        house.door.patch(f"/v1/people/{house.ada}", json={"external_id": "B7"}),
        house.door.patch(f"/v1/people/{house.ada}", json={"name": "bob"}),
        house.door.post("/v1/people?name=Eve", content=encoded(drawn_face("bob")), headers=IMAGE),
    ):
        assert answer.status_code == 409, answer.text
        assert "bob" not in answer.text and house.bob not in answer.text and "secret" not in answer.text
    # One of its own people is found by name, though somebody else has it too.
    house.gallery.rename(house.bob, "Cleo", another=True)
    more = house.door.post("/v1/people?name=Cleo", content=encoded(drawn_face("cleo", 1)), headers=IMAGE)
    assert (more.status_code, more.json()["person"]) == (201, made["person"])
