"""Events of cameras in a gallery: one numbering, no names in the rows, and nothing of people who are removed."""

import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from multiface.errors import NotInGallery
from multiface.gallery.contents import NewTemplate
from multiface.gallery.gallery import Gallery
from multiface.gallery.person_copy import person_copy
from multiface.gallery.service import camera_events, camera_rows
from multiface.gallery.service.camera_events import NewEvent, Overtaken
from multiface.gallery.strangers import Sighting

Make = Callable[..., NewTemplate]
WHEN = "2026-05-01T12:00:00.000+00:00"


def new_camera(gallery: Gallery, name: str = "door", **given: object) -> str:
    wanted = {"source": "rtsp://ann@host/", "password": None, "webhook": None, "keep_strangers": None}
    with gallery.database.writing() as connection:
        camera_rows.take_lease(connection, "me", None)
        return camera_rows.add_camera(
            connection,
            name,
            **{**wanted, "unknown_alert": False, "paused": False, **given},  # type: ignore[arg-type]
        )


def happen(
    gallery: Gallery,
    camera: str,
    person: str | None = None,
    stranger: int | None = None,
    when: str = WHEN,
    owner: str = "me",
) -> int:
    event = NewEvent(when, "recognised", 1, person, stranger, 0.5, 0.4, (1.0, 2.0, 3.0, 4.0))
    with gallery.database.writing() as connection:
        return camera_events.add_events(connection, camera, "r", owner, [event])[0]


def names(gallery: Gallery) -> list[str | None]:
    with gallery.database.reading() as connection:
        return [one.name for one in camera_events.events(connection, 0, 100)]


def strangers(gallery: Gallery) -> list[int | None]:
    with gallery.database.reading() as connection:
        return [one.stranger for one in camera_events.events(connection, 0, 100)]


def anna_and_bo(gallery: Gallery, template: Make) -> tuple[str, str]:
    return (
        gallery.add_templates("Anna", [template("a")]).person,
        gallery.add_templates("Bo", [template("b")]).person,
    )


def test_one_numbering_that_is_never_given_twice(gallery: Gallery) -> None:
    door, gate = new_camera(gallery), new_camera(gallery, "gate")
    assert [happen(gallery, one) for one in (door, gate, door)] == [1, 2, 3]
    with gallery.database.writing() as connection:
        camera_rows.remove_camera(connection, door)
    assert happen(gallery, gate) == 4
    with gallery.database.reading() as connection:
        kept = camera_events.events(connection, 0, 10)
        assert [(one.number, one.camera, one.camera_name) for one in kept] == [
            (2, gate, "gate"),
            (4, gate, "gate"),
        ]
        assert (kept[0].similarity, kept[0].threshold) == (0.5, 0.4)
        assert kept[0].box == (1.0, 2.0, 3.0, 4.0) and kept[0].document()["time"] == WHEN
        assert camera_events.last_number(connection) == 4
        with pytest.raises(NotInGallery):
            camera_rows.camera(connection, door, "here")


def test_renamed_merged_and_undone(gallery: Gallery, template: Make) -> None:
    anna, bo = anna_and_bo(gallery, template)
    door = new_camera(gallery)
    for one in (anna, bo, None):
        happen(gallery, door, one)
    gallery.rename(anna, "Annette")
    assert names(gallery) == ["Annette", "Bo", None]
    gallery.merge(anna, bo)
    happen(gallery, door, anna)
    assert names(gallery) == ["Annette", "Annette", None, "Annette"]
    gallery.undo(gallery.changes(most=1)[0].id)
    assert names(gallery) == ["Annette", "Bo", None, "Annette"]
    happen(gallery, door, "p_0000000000000000")  # somebody who is not there
    assert names(gallery)[-1] is None


def test_last_seen(gallery: Gallery, template: Make) -> None:
    anna, bo = anna_and_bo(gallery, template)
    door, gate = new_camera(gallery), new_camera(gallery, "gate")
    for camera, hour in ((door, 9), (gate, 11), (door, 10), (gate, 8)):
        happen(gallery, camera, anna, when=f"2026-05-01T{hour:02}:00:00.000+00:00")
    numbers = [gallery.person(one).number for one in (anna, bo)]
    with gallery.database.reading() as connection:
        seen = camera_events.last_seen(connection, numbers[0])
        assert [(one.name, one.time[11:13]) for one in seen] == [("gate", "11"), ("door", "10")]
        assert camera_events.last_seen(connection, numbers[1]) == ()


def test_the_copy_for_a_person_holds_the_events(gallery: Gallery, template: Make) -> None:
    anna, bo = anna_and_bo(gallery, template)
    door = new_camera(gallery)
    numbers = [happen(gallery, door, one) for one in (anna, bo, anna)]
    with zipfile.ZipFile(io.BytesIO(person_copy(gallery, anna))) as archive:
        facts = json.loads(archive.read("person.json"))
    assert [one["number"] for one in facts["camera_events"]] == [numbers[0], numbers[2]]


def test_a_person_who_is_removed_is_in_no_event(gallery: Gallery, template: Make) -> None:
    anna, bo = anna_and_bo(gallery, template)
    door = new_camera(gallery)
    happen(gallery, door, anna)
    happen(gallery, door, bo)
    gallery.merge(anna, bo)
    gallery.remove(anna)
    assert names(gallery) == [None, None]
    with gallery.database.reading() as connection:
        rows = connection.execute("SELECT person_id, decided, stranger FROM camera_event").fetchall()
    assert [tuple(row) for row in rows] == [(None, None, None)] * 2


def test_no_byte_of_a_removed_person_or_secret_stays(gallery: Gallery, template: Make, path: Path) -> None:
    person = gallery.add_templates("Quillonia Zzyzx", [template("q")]).person
    door = new_camera(gallery, password="hunter2hunter2")
    for _ in range(50):
        happen(gallery, door, person)

    def held() -> bytes:
        return b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))

    assert held().count(person.encode()) >= 50 and b"hunter2hunter2" in held()
    gallery.remove(person)
    assert b"Zzyzx" not in held()
    # The id stays once, so that no import brings the person back, and in the index of that table, which is the table.
    assert held().count(person.encode()) == 1
    with gallery.database.writing() as connection:
        camera_rows.remove_camera(connection, door)
    gallery.database.purge_log()
    assert b"hunter2hunter2" not in held()


def test_strangers(gallery: Gallery, template: Make) -> None:
    door = new_camera(gallery)
    met = [stranger(gallery, template, str(number)) for number in range(3)]
    for one in met:
        happen(gallery, door, None, one)
    assert strangers(gallery) == met
    gallery.strangers.remove(met[0])
    assert strangers(gallery) == [None, *met[1:]]
    named = gallery.strangers.name(met[1], "Cleo")
    assert strangers(gallery) == [None, None, met[2]] and names(gallery) == [None, "Cleo", None]
    gallery.undo(gallery.changes(named.id, 1)[0].id)
    assert strangers(gallery) == [None, *met[1:]] and names(gallery) == [None] * 3
    again = gallery.strangers.name(met[1], "Cleo")
    other = gallery.add_templates("Dora", [template("d")]).person
    gallery.merge(other, again.id)
    assert names(gallery) == [None, "Dora", None]
    gallery.undo(gallery.changes(other, 1)[0].id)
    assert names(gallery) == [None, "Cleo", None]
    gallery.remove(again.id)
    assert strangers(gallery) == [None, None, met[2]] and names(gallery) == [None] * 3
    happen(gallery, door, None, met[1])  # who is not there any more
    assert strangers(gallery)[-1] is None


def stranger(gallery: Gallery, template: Make, picture: str) -> int:
    pixels = np.zeros((20, 20, 3), np.uint8)
    sighting = Sighting(template(picture).vector, 0.0, 0.5, pixels, datetime.now(UTC).isoformat())
    return gallery.strangers.find(sighting, lambda spreads: np.full(len(spreads), 0.9), (), timedelta(days=3))


def test_events_are_forgotten_when_they_were_told(gallery: Gallery) -> None:
    door, gate = new_camera(gallery), new_camera(gallery, "gate")
    numbers = [happen(gallery, one) for one in (door, gate, door, gate)]
    with gallery.database.writing() as connection:
        connection.execute("UPDATE camera_event SET stored = ?", (WHEN,))
        camera_events.set_told(connection, door, "hook", numbers[0])
        assert camera_events.forget_events(connection, timedelta(days=40000)) == 0
        assert camera_events.forget_events(connection, timedelta(days=1)) == 3
        assert [one.number for one in camera_events.events(connection, 0, 9)] == [numbers[2]]
        assert camera_events.forget_events(connection, timedelta(days=1), most_waiting=0) == 1
        assert camera_events.told(connection, door, "hook") == numbers[0]
        camera_events.forget_targets(connection, door, None)
        assert camera_events.told(connection, door, "hook") is None
    assert happen(gallery, door) == numbers[-1] + 1


def test_only_who_holds_the_lease_writes(gallery: Gallery) -> None:
    door = new_camera(gallery)
    with gallery.database.writing() as connection:
        seen = camera_rows.lease(connection)
        assert seen is not None and seen.owner == "me"
        assert not camera_rows.take_lease(connection, "you", None)
        assert camera_rows.take_lease(connection, "me", None)  # counted up
        assert not camera_rows.take_lease(connection, "you", seen)  # it did not stand still
        assert camera_rows.take_lease(connection, "you", camera_rows.lease(connection))
        camera_rows.release_lease(connection, "me")  # not its own
    with pytest.raises(Overtaken):
        happen(gallery, door)
    assert happen(gallery, door, owner="you") == 1
    with gallery.database.writing() as connection:
        camera_rows.release_lease(connection, "you")
        assert camera_rows.lease(connection) is None
    with pytest.raises(Overtaken):
        happen(gallery, door, owner="you")


def test_what_is_wanted_and_what_became_of_it(gallery: Gallery) -> None:
    door = new_camera(gallery, password="x", keep_strangers=1.5, unknown_alert=True)
    with gallery.database.writing() as connection:
        camera_rows.change_camera(connection, door, {"name": "gate", "password": None, "paused": True})
        camera_rows.set_state(connection, door, "waiting", "refused")
        one = camera_rows.camera(connection, door, "here")
        assert (one.name, one.password, one.paused, one.keep_strangers) == ("gate", None, True, 1.5)
        assert (one.state, one.detail, one.unknown_alert) == ("waiting", "refused", True)
        assert "rtsp" not in repr(one)
