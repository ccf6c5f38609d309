"""A file that the last version before ids wrote: everything in it stays, and people get ids.

`old_files/version_4.sql` was made by that version's code.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from multiface.errors import GalleryError
from multiface.gallery import schema
from multiface.gallery.contents import NewTemplate
from multiface.gallery.gallery import Gallery
from multiface.gallery.person_ids import is_id

OLD = Path(__file__).parent / "old_files" / "version_4.sql"


@pytest.fixture
def old(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD.read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
    return path


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """What the tables of the old version hold, in the columns that it had."""
    queries = {
        "person": "SELECT id, name, created FROM person",
        **{table: f"SELECT * FROM {table}" for table in ("template", "folder_picture", "origin")},
        **{table: f"SELECT * FROM {table}" for table in ("stranger", "stranger_view")},
        "sequence": "SELECT name, seq FROM sqlite_sequence WHERE name IN "
        "('person', 'template', 'stranger', 'stranger_view') ORDER BY name",
    }
    with closing(sqlite3.connect(path)) as connection:
        return {name: sorted(connection.execute(query).fetchall()) for name, query in queries.items()}


def test_everything_stays_and_everybody_has_an_id(old: Path) -> None:
    before = content(old)
    with Gallery.open(old) as gallery:
        people = {person.name: person for person in gallery.people()}
        assert {name: person.templates for name, person in people.items()} == {"Anna": 2, "Bo": 1, "Karl": 2}
        assert all(is_id(person.id) for person in people.values())
        assert len({person.id for person in people.values()}) == 3
        assert gallery.matrix().ids == tuple(people[name].id for name in ("Anna", "Bo", "Karl"))
        assert gallery.check().problems == ()
        assert gallery.check().strangers == 1
        ids = {person.id for person in people.values()}
    assert content(old) == before
    with Gallery.open(old) as gallery:
        assert {person.id for person in gallery.people()} == ids  # given once


def test_numbers_are_not_given_twice_and_names_may_repeat(old: Path) -> None:
    with Gallery.open(old) as gallery:
        second = gallery.add_templates("Anna", [old_template(gallery)], another=True)
        assert gallery.person(second.person).number == 7  # number 6 was somebody's who was removed
        assert [person.number for person in gallery.named("Anna")] == [1, 7]
        assert gallery.check().problems == ()


def test_references_are_enforced_again(old: Path) -> None:
    """The step is taken without them."""
    with Gallery.open(old) as gallery:
        with (
            pytest.raises(GalleryError, match="FOREIGN KEY"),
            gallery.database.writing() as connection,
        ):
            connection.execute("UPDATE template SET person_id = 77 WHERE id = 1")
        gallery.remove("Anna")
        assert len(gallery.matrix().vectors) == 3


def test_a_step_that_fails_leaves_the_old_file(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, step = content(old), schema.STEPS[4]
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", (*schema.STEPS[:4], (*step, "CREATE TABLE person (id)")))
        with pytest.raises(GalleryError):
            Gallery.open(old)
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (4,)
    assert content(old) == before
    with Gallery.open(old) as gallery:
        assert len(gallery.people()) == 3


def test_an_upgraded_file_has_the_tables_of_a_new_one(old: Path, tmp_path: Path) -> None:
    with Gallery.open(old) as gallery:
        origin = gallery.origin
    Gallery.open(tmp_path / "new.db", origin, create=True).close()
    tables = []
    for file in (old, tmp_path / "new.db"):
        with closing(sqlite3.connect(file)) as connection:
            tables.append(
                connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
            )
    assert tables[0] == tables[1]


def old_template(gallery: Gallery) -> NewTemplate:
    """Another face in another picture, with a vector of the gallery's length."""
    kept = gallery.templates("Bo")[0]
    return NewTemplate(kept.vector, "f" * 64, "z.jpg", kept.facts)
