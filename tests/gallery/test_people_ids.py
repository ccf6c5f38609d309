"""People by id: names that several have, external ids, notes, groups, covers."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from multiface.errors import AmbiguousName, GalleryError, UsageError
from multiface.gallery.contents import NewTemplate
from multiface.gallery.folder_import import sync_folder
from multiface.gallery.gallery import Gallery
from multiface.gallery.names import clean_name
from multiface.gallery.person_ids import is_id, new_id

Make = Callable[..., NewTemplate]


@pytest.fixture
def annas(gallery: Gallery, template: Make) -> tuple[str, str]:
    """Two people called Anna; the ids, oldest first."""
    first = gallery.add_templates("Anna", [template("a"), template("b")])
    second = gallery.add_templates("Anna", [template("c")], another=True)
    return first.person, second.person


def test_ids() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000 and all(is_id(one) and re.fullmatch("p_[0-9a-z]{16}", one) for one in ids)
    for text in ("p_", "p_short", "Anna", new_id().upper(), new_id() + "0", "p_" + "u" * 16):
        assert not is_id(text)
    with pytest.raises(UsageError, match="form of a person's id"):
        clean_name(new_id())


def test_a_name_that_two_people_have_asks(gallery: Gallery, annas: tuple[str, str], template: Make) -> None:
    calls: list[Callable[[], object]] = [
        lambda: gallery.person("Anna"),
        lambda: gallery.templates("Anna"),
        lambda: gallery.remove("Anna"),
        lambda: gallery.rename("Anna", "Ann"),
        lambda: gallery.merge("Anna", annas[0]),
        lambda: gallery.merge(annas[0], "Anna"),
        lambda: gallery.edit("Anna", note="x"),
        lambda: gallery.add_templates("Anna", [template("d")]),
    ]
    gallery.edit(annas[1], note="the tall one", external_id="hr-7")
    before = gallery.people()
    for call in calls:
        with pytest.raises(AmbiguousName, match="2 people are called 'Anna'") as caught:
            call()
        assert (caught.value.name, caught.value.people) == ("Anna", annas)
        assert all(one in str(caught.value) for one in (*annas, "the tall one", "hr-7", "2 templates"))
    assert gallery.people() == before


def test_everything_goes_by_id(gallery: Gallery, annas: tuple[str, str], template: Make) -> None:
    first, second = annas
    assert [person.id for person in gallery.named("Anna")] == [first, second]
    assert gallery.person(second).templates == 1 and len(gallery.templates(first)) == 2
    assert gallery.add_templates(second, [template("d")]).person == second
    gallery.rename(second, "Ann")
    assert gallery.person("Anna").id == first and gallery.person("Ann").id == second
    with pytest.raises(GalleryError, match=f"'Anna' is in it already.*{first}.*--another"):
        gallery.rename(second, "Anna")
    gallery.rename(second, "Anna", another=True)
    assert len(gallery.named("Anna")) == 2
    assert gallery.merge(second, first) == 2
    assert gallery.person("Anna").id == second
    gallery.remove(second)
    assert gallery.people() == ()
    for who in annas:
        with pytest.raises(GalleryError, match=f"there is no person {who}"):
            gallery.person(who)
    with pytest.raises(GalleryError, match="there is no person"):
        gallery.add_templates(first, [template("e")])
    with pytest.raises(UsageError, match="not an id"):
        gallery.add_templates(first, [template("e")], another=True)


def test_the_matrix_and_the_search_know_them_apart(
    gallery: Gallery, annas: tuple[str, str], template: Make
) -> None:
    matrix = gallery.matrix()
    assert (matrix.names, matrix.ids) == (("Anna", "Anna"), annas)
    (found,) = gallery.search(template("c").vector[np.newaxis], "mean")
    assert (found.name, found.person) == ("Anna", annas[1])
    assert (found.runner_up, found.runner_up_person) == ("Anna", annas[0])


def test_what_is_known_of_a_person(gallery: Gallery, template: Make) -> None:
    anna = gallery.add_templates("Anna", [template("a")]).person
    bo = gallery.add_templates("Bo", [template("b")]).person
    cover = gallery.templates(anna)[0].id
    person = gallery.edit(
        anna, external_id=" hr-1 ", note="Cafe\u0301", groups=["staff", "night ", "staff"], cover=cover
    )
    assert (person.external_id, person.note, person.groups) == ("hr-1", "Café", ("night", "staff"))
    assert person.cover == cover and person == gallery.person("Anna")
    assert gallery.person_of_external_id("hr-1") == person and gallery.person_of_external_id("hr-2") is None
    gallery.edit(bo, groups=["staff"])
    assert [one.name for one in gallery.people("staff")] == ["Anna", "Bo"]
    assert [one.name for one in gallery.people("night")] == ["Anna"] and gallery.people("day") == ()
    before = gallery.people()
    with pytest.raises(GalleryError, match=rf"'hr-1' is that of 'Anna' \({anna}\)"):
        gallery.edit(bo, external_id="hr-1", note="not kept either")
    with pytest.raises(GalleryError, match=f"'Bo' has no template {cover}"):
        gallery.edit(bo, cover=cover)
    for what in ({"note": "a\0b"}, {"external_id": "\ud800"}, {"groups": ["a\nb"]}, {"note": "x" * 2001}):
        with pytest.raises(UsageError):
            gallery.edit(bo, **what)  # type: ignore[arg-type]
    assert gallery.people() == before
    gallery.merge(bo, anna)
    kept = gallery.person("Bo")
    assert (kept.groups, kept.external_id, kept.note, kept.cover) == (("night", "staff"), None, "", None)
    cleared = gallery.edit(bo, groups=(), external_id="", note="", cover=0)
    assert (cleared.groups, cleared.external_id, cleared.note) == ((), None, "")
    assert gallery.check().problems == ()


def test_a_cover_goes_with_its_template(gallery: Gallery, template: Make) -> None:
    gallery.add_templates("Anna", [template("a"), template("b")])
    cover = gallery.templates("Anna")[0].id
    gallery.edit("Anna", cover=cover)
    with gallery.database.writing() as connection:
        connection.execute("DELETE FROM template WHERE id = ?", (cover,))
    assert gallery.person("Anna").cover is None and gallery.check().problems == ()


def test_an_unknown_name_is_hinted_at_without_reading_everybody(gallery: Gallery, template: Make) -> None:
    gallery.add_templates("Margarethe", [template("a")])
    with gallery.database.writing() as connection:
        for number in range(2000):
            connection.execute(
                "INSERT INTO person (public_id, name, created) VALUES (?, ?, '')", (new_id(), f"q{number}")
            )
    for wrong in ("margarethe", "Margarete", "Nargarethe", "Margareth", "MARGARETHE"):
        with pytest.raises(GalleryError, match="did you mean 'Margarethe'"):
            gallery.person(wrong)
    with pytest.raises(GalleryError, match="people in it: 2001"):
        gallery.person("Zoë")


def test_the_nearest_name_may_be_much_longer(gallery: Gallery, template: Make) -> None:
    gallery.add_templates("Alexander Smith", [template("a")])
    with pytest.raises(GalleryError, match="did you mean 'Alexander Smith'"):
        gallery.person("Alexander")


def test_a_folder_follows_its_people_and_asks_where_two_have_its_name(
    gallery: Gallery, annas: tuple[str, str], template: Make, tmp_path: Path
) -> None:
    """By the pictures it brought in, not by name; where there are none yet and two have the name, it is not guessed."""
    folder = tmp_path / "people"

    def put(name: str, picture: str) -> None:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{picture}.jpg").write_bytes(picture.encode())

    def sync() -> tuple[int, list[str]]:
        report = sync_folder(gallery, folder, lambda paths: [(path, template(path.stem)) for path in paths])
        return report.added, [one.reason for one in report.refused]

    put("Bo", "p")
    put("Anna", "q")
    added, (reason,) = sync()
    assert added == 1 and all(one in reason for one in (*annas, "2 people are called 'Anna'"))
    bo = gallery.person("Bo").id
    gallery.rename(bo, "Anna", another=True)  # now three
    gallery.add_templates("Bo", [template("r")])  # somebody else
    put("Bo", "s")
    assert sync() == (1, [reason.replace("2 people", "3 people").replace(annas[1], f"{annas[1]}, {bo}")])
    assert gallery.person(bo).templates == 2 and gallery.person("Bo").templates == 1
    gallery.rename(annas[0], "Anne")
    gallery.rename(bo, "Bodo")
    assert sync() == (1, [])
    assert gallery.person("Anna").templates == 2


def test_the_cover_may_be_any_template(gallery: Gallery, template: Make) -> None:
    """Ids grow: the seventieth, too."""
    anna = gallery.add_templates("Anna", [template(f"picture {k}") for k in range(70)]).person
    last = max(one.id for one in gallery.templates(anna))
    assert last >= 64
    assert gallery.edit(anna, cover=last).cover == last
