"""Every change is a row and can be undone; removing a person is final and leaves nothing but the id."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from multiface.errors import AmbiguousName, GalleryError, UsageError
from multiface.gallery.contents import Crop, NewTemplate
from multiface.gallery.folder_import import sync_folder
from multiface.gallery.gallery import Gallery
from multiface.gallery.strangers import Sighting

Make = Callable[..., NewTemplate]


def state(gallery: Gallery) -> object:
    """All that is known of everybody, numbers of rows aside."""
    people = {
        person.id: (
            (person.name, person.created, person.external_id, person.note, person.groups, person.cover),
            {
                (one.id, one.vector.tobytes(), one.source, one.facts, one.added)
                for one in gallery.templates(person.id)
            },
        )
        for person in gallery.people()
    }
    return people, gallery.strangers.list()


def meet(gallery: Gallery, template: Make, picture: str) -> int:
    pixels = np.random.default_rng(3).integers(0, 255, (32, 32, 3), np.uint8)
    sighting = Sighting(template(picture).vector, 0.1, 0.5, pixels, "2099-01-01T00:00:00+00:00")
    return gallery.strangers.find(sighting, lambda spread: np.full(len(spread), 0.99), (), timedelta(days=9))


def test_each_change_is_a_row_and_is_undone(gallery: Gallery, template: Make) -> None:
    anna = gallery.add_templates("Anna", [template("a"), template("b")]).person
    gallery.add_templates("Bo", [template("c")])
    gallery.edit("Bo", external_id="hr", note="n", groups=["x"], cover=gallery.templates("Bo")[0].id)
    gallery.edit("Anna", groups=["y"])
    stranger = meet(gallery, template, "s")
    picture = gallery.strangers.picture(stranger)
    own = [one.id for one in gallery.templates("Anna")]
    steps: list[tuple[str, Callable[[], object]]] = [
        ("enrol", lambda: gallery.add_templates("Carl", [template("d")])),
        ("enrol", lambda: gallery.add_templates("Anna", [template("e"), template("a")])),
        ("rename", lambda: gallery.rename("Anna", "Anne")),
        ("edit", lambda: gallery.edit(anna, note="m", groups=[], external_id="7", cover=own[1])),
        ("merge", lambda: gallery.merge(anna, "Bo")),
        ("split", lambda: gallery.split(anna, own[:1], "Dora")),
        ("name", lambda: gallery.strangers.name(stranger, "Sam")),
    ]
    for kind, step in steps:
        before = state(gallery)
        step()
        assert state(gallery) != before, kind
        (newest, *_) = gallery.changes()
        assert newest.kind == kind and newest.can_be_undone and newest.people
        assert gallery.undo(newest.id).id == newest.id
        assert state(gallery) == before, kind
        assert gallery.check().problems == ()
        log = gallery.changes()
        assert (log[0].kind, log[0].facts) == ("undo", {"change": newest.id})
        assert log[1].undone is not None and not log[1].can_be_undone and not log[0].can_be_undone
        with pytest.raises(GalleryError, match="was undone at"):
            gallery.undo(newest.id)
        with pytest.raises(GalleryError, match="cannot be undone"):
            gallery.undo(log[0].id)
    assert gallery.strangers.picture(stranger) == picture
    with pytest.raises(GalleryError, match="there is no change 999"):
        gallery.undo(999)
    assert {one.kind for one in gallery.changes(anna)} == {
        "enrol",
        "rename",
        "edit",
        "merge",
        "split",
        "undo",
    }
    assert len(gallery.changes(most=3)) == 3


def test_any_changes_undone_backwards_end_where_they_began(gallery: Gallery, template: Make) -> None:
    rng = random.Random(2)
    for number in range(6):
        gallery.add_templates(f"p{number}", [template(f"{number} {k}") for k in range(3)])
    before = state(gallery)
    first = gallery.changes()[0].id
    for turn in range(80):
        ids = [person.id for person in gallery.people() if person.templates]
        who = rng.choice(ids)
        match rng.randrange(5):
            case 0:
                gallery.add_templates(rng.choice([who, f"n{turn}"]), [template(f"t{turn}")])
            case 1:
                gallery.rename(who, f"r{turn}")
            case 2 if len(ids) > 2:
                gallery.merge(*rng.sample(ids, 2))
            case 3:
                own = [one.id for one in gallery.templates(who)]
                if len(own) > 1:
                    gallery.split(who, rng.sample(own, rng.randrange(1, len(own))), f"s{turn}")
            case _:
                cover = rng.choice(gallery.templates(who)).id
                gallery.edit(who, note=str(turn), groups=rng.sample("abc", 2), cover=cover)
    made = [one.id for one in gallery.changes(most=1000) if one.id > first]
    assert len(made) > 60
    for number in made:
        gallery.undo(number)
    assert state(gallery) == before
    assert gallery.check().problems == ()


def test_what_a_later_change_stands_in_the_way_of(gallery: Gallery, template: Make) -> None:
    anna = gallery.add_templates("Anna", [template("a"), template("b")]).person
    bo = gallery.add_templates("Bo", [template("c")]).person
    gallery.rename(anna, "Anne")
    rename = gallery.changes()[0].id
    gallery.rename(anna, "Ann")
    with pytest.raises(GalleryError, match="'Anne' was renamed to 'Ann' since"):
        gallery.undo(rename)
    gallery.edit(bo, note="1")
    edit = gallery.changes()[0].id
    gallery.edit(bo, note="2", groups=["g"])
    with pytest.raises(GalleryError, match="'Bo' was changed again since"):
        gallery.undo(edit)
    gallery.merge(anna, bo)
    merge = gallery.changes()[0].id
    with pytest.raises(GalleryError, match=r"not in it any more.*merged"):
        gallery.undo(edit)
    # What was enrolled meanwhile stays where it is; what was removed stays removed.
    gallery.add_templates(anna, [template("d")])
    gallery.undo(gallery.changes(bo)[-1].id)  # Bo's enrolment: the template goes from where it is now
    gallery.undo(merge)
    assert (gallery.person(anna).templates, gallery.person(bo).templates) == (3, 0)
    assert gallery.person(bo).note == "2" and gallery.person(bo).groups == ("g",)
    assert gallery.check().problems == ()


def test_split(gallery: Gallery, template: Make) -> None:
    gallery.add_templates("Anna", [template("a"), template("b"), template("c")])
    gallery.add_templates("Bo", [template("d")])
    own = [one.id for one in gallery.templates("Anna")]
    with pytest.raises(GalleryError, match="'Anna' has no template 99"):
        gallery.split("Anna", [own[0], 99], "X")
    for wrong, why in (([], "at least one"), (own, "left without")):
        with pytest.raises(UsageError, match=why):
            gallery.split("Anna", wrong, "X")
    with pytest.raises(UsageError, match="own name"):
        gallery.split("Anna", own[:1], "Anna")
    other = gallery.split("Anna", own[:1], "Anna", another=True)
    assert (other.name, other.templates) == ("Anna", 1)
    with pytest.raises(AmbiguousName):
        gallery.split("Anna", own[1:2], "X")
    assert gallery.split(gallery.named("Anna")[0].id, own[1:2], "Bo").templates == 2


def test_a_folder_is_undone_by_batch(gallery: Gallery, template: Make, tmp_path: Path) -> None:
    for name in ("Anna", "Bo"):
        (tmp_path / "people" / name).mkdir(parents=True)
        (tmp_path / "people" / name / f"{name}.jpg").write_bytes(name.encode())
    sync_folder(gallery, tmp_path / "people", lambda paths: [(path, template(path.stem)) for path in paths])
    (change,) = gallery.changes()
    assert change.kind == "enrol" and len(change.people) == 2 and len(change.facts["templates"]) == 2
    gallery.remove("Bo")
    (change,) = gallery.changes()
    assert change.people == (gallery.person("Anna").id,)
    gallery.undo(change.id)
    assert gallery.people() == ()


def test_removal_is_final_in_every_byte(gallery: Gallery, path: Path, template: Make) -> None:
    """Names, notes, vectors, and the picture of a stranger who was named or merged in; the id alone stays."""
    secret = "Wilhelmina"
    gallery.add_templates("Bo", [template("bo")])
    crop = np.random.default_rng(5).bytes(3000)
    gallery.add_templates(secret, [template("a"), replace(template("b"), crop=Crop(crop))])
    gallery.rename(secret, f"{secret} II")
    gallery.edit(f"{secret} II", note="Zwetschgenknoedel", external_id="hr-4711", groups=["only-hers"])
    stranger = meet(gallery, template, "s")
    picture = gallery.strangers.picture(stranger)
    gallery.strangers.name(stranger, "Xanthippe")
    gallery.merge(f"{secret} II", "Xanthippe")
    gallery.split(f"{secret} II", [gallery.templates(f"{secret} II")[0].id], "Bo")
    ids = [person for change in gallery.changes() for person in change.people]
    hers = [one.encode() for one in (secret, "Zwetschgen", "hr-4711", "only-hers", "Xanthippe")]
    hers += [template("b").vector.tobytes(), template("s").vector.tobytes(), picture[20:200], crop[100:300]]
    content = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    assert all(one in content for one in hers)
    who = gallery.person(f"{secret} II").id
    assert gallery.remove(who).purged
    content = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    assert [one for one in hers if one in content] == []
    assert who.encode() in content
    assert [change.kind for change in gallery.changes()] == ["enrol"]
    assert gallery.check().problems == ()
    with gallery.database.reading() as connection:
        removed = {one for (one,) in connection.execute("SELECT person FROM removed_person")}
    bo = gallery.person("Bo").id
    assert removed == {who, *(one for one in ids if one not in (who, bo))}  # with whom was merged in


def test_changes_are_forgotten_after_thirty_days(gallery: Gallery, path: Path, template: Make) -> None:
    stranger = meet(gallery, template, "s")
    picture = gallery.strangers.picture(stranger)
    gallery.strangers.name(stranger, "Sam")
    gallery.rename("Sam", "Samuel")
    long_ago = (datetime.now(UTC) - timedelta(days=30, minutes=5)).isoformat(timespec="seconds")
    with gallery.database.writing() as connection:
        connection.execute("UPDATE change SET made = ? WHERE kind = 'name'", (long_ago,))
    gallery.close()
    with Gallery.open(path) as again:
        assert [change.kind for change in again.changes()] == ["rename"]
        assert again.person("Samuel").templates == 1
    assert picture[20:200] not in path.read_bytes()


def test_a_change_that_fails_leaves_no_row(gallery: Gallery, template: Make) -> None:
    gallery.add_templates("Anna", [template("a")])
    before = gallery.changes()
    with pytest.raises(GalleryError):
        gallery.add_templates("Bo", [template("b"), template("a")])
    with pytest.raises(UsageError):
        gallery.merge("Anna", "Anna")
    gallery.rename("Anna", "Anna")
    gallery.edit("Anna", note="")
    gallery.add_templates("Anna", [template("a")])
    assert gallery.changes() == before
    json.dumps([change.facts for change in before])
