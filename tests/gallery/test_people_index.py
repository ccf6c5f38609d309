"""Everybody in memory follows the gallery by what changed, and is then what reading everything gives."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from multiface.errors import GalleryError
from multiface.gallery import large_arrays, people_index, people_vectors
from multiface.gallery.contents import NewTemplate, PictureFacts, VectorOrigin
from multiface.gallery.gallery import Gallery
from multiface.gallery.matrix import Matrix

Make = Callable[..., NewTemplate]


@pytest.fixture
def pair(
    location: str | Path, origin: VectorOrigin, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Gallery, Gallery]]:
    """Two openings of one gallery, as two processes have them, with blocks of 8 people in groups of 2, read a few at a
    time, in a file from 20 vectors on.
    """
    monkeypatch.setattr(people_index, "BLOCK", 8)
    monkeypatch.setattr(people_index, "GROUP", 2)
    monkeypatch.setattr(people_vectors, "_PAGE", 5)
    monkeypatch.setattr(large_arrays, "FROM", 20 * 4 * origin.dimension)
    with Gallery.open(location, origin, create=True) as one, Gallery.open(location, origin) as other:
        yield one, other


def content(matrix: Matrix) -> tuple[object, ...]:
    arrays = (matrix.vectors, matrix.person_index, matrix.first, matrix.centres, matrix.spread)
    codes = [group.codes for group in matrix.groups]
    integers = b"".join(column.tobytes() for code in codes for column in code._columns().T)
    numbers = np.concatenate([block.numbers for block in matrix.blocks])
    scales = [np.concatenate([getattr(code, name) for code in codes]) for name in ("scale", "shift", "error")]
    return matrix.names, matrix.ids, integers, *(array.tobytes() for array in (*arrays, *scales, numbers))


def test_after_any_changes_it_is_what_reading_everything_gives(
    pair: tuple[Gallery, Gallery], location: str | Path, origin: VectorOrigin, template: Make
) -> None:
    mine, other = pair
    rng = random.Random(5)
    most = 0
    for turn in range(150):
        ids = [person.id for person in other.people()]
        for _ in range(rng.choice([1, 1, 1, 12])):
            match rng.randrange(6) if len(ids) > 3 else 0:
                case 0 | 1 | 2:
                    new = [template(f"{turn} {rng.random()}") for _ in range(rng.randrange(1, 4))]
                    other.add_templates(f"p{rng.randrange(10**9)}", new)
                case 3:
                    other.add_templates(rng.choice(ids), [template(f"{turn} {rng.random()}")])
                case 4:
                    other.remove(ids.pop(rng.randrange(len(ids))))
                case 5:
                    into, gone = rng.sample(ids, 2)
                    ids.remove(gone)
                    other.merge(into, gone)
        if len(ids) > 1 and turn % 3 == 0:
            other.rename(ids[0], f"n{turn}")
        before = mine.matrix()
        kept = content(before)
        after = mine.matrix()
        with Gallery.open(location, origin) as fresh:
            assert content(after) == content(fresh.matrix())
        assert content(before) == kept  # what a search in progress holds
        most = max(most, len(after.groups))
    assert most > 3


def test_only_the_blocks_of_those_who_changed_are_made_anew(
    pair: tuple[Gallery, Gallery], template: Make
) -> None:
    mine, other = pair
    for number in range(30):
        other.add_templates(f"p{number}", [template(str(number))])
    with Gallery.open(mine.location) as fresh:  # read whole, so in blocks
        before = fresh.matrix().blocks
        assert len(before) == 4
        other.add_templates("p10", [template("more")])
        after = fresh.matrix().blocks
        assert [new is old for new, old in zip(after, before, strict=True)] == [True, False, True, True]
        other.edit("p10", note="no change to vectors or names")
        assert all(new is old for new, old in zip(fresh.matrix().blocks, after, strict=True))
        other.remove("p29")
        assert fresh.matrix().blocks[0] is before[0]


def test_one_who_was_away_for_long_reads_everything(
    pair: tuple[Gallery, Gallery], path: Path, template: Make
) -> None:
    """The rows that would say what changed are gone; and after a change that no trigger can have seen."""
    mine, other = pair
    other.add_templates("Anna", [template("a")])
    assert mine.matrix().names == ("Anna",)
    other.add_templates("Bo", [template("b")])
    other.add_templates("Carl", [template("c")])
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("DELETE FROM touched WHERE id <= 2")
        assert mine.matrix().names == ("Anna", "Bo", "Carl")
        foreign.execute("DELETE FROM touched")
        foreign.execute("UPDATE person SET name = 'Anne' WHERE name = 'Anna'")
        assert mine.matrix().names == ("Anne", "Bo", "Carl")
        foreign.execute("UPDATE template SET vector = zeroblob(512) WHERE id = 2")
        with pytest.raises(GalleryError, match="damaged"):
            mine.matrix()


def test_what_is_written_down_of_changes_stays_small(pair: tuple[Gallery, Gallery]) -> None:
    mine, _ = pair
    with mine.database.writing() as connection:
        for _ in range(30):
            connection.execute(
                "WITH RECURSIVE n (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 1000) "
                "INSERT INTO touched (person_id) SELECT k FROM n"
            )
        (count,) = connection.execute("SELECT count(*) FROM touched").fetchone()
    assert count == 20_000


def test_the_matrix_of_groups_is_that_of_a_gallery_of_their_people_alone(tmp_path: Path) -> None:
    """Whoever is in one of them, once, in the order of all; changed as soon as somebody joins or leaves."""
    random = np.random.default_rng(5)
    vectors = random.normal(size=(12, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    origin = VectorOrigin("f" * 64, "made up", "made up", 16, True)
    facts = PictureFacts(100, 100, (0.0, 0.0, 50.0, 50.0), 0.9, "made up", 0, 1)
    with Gallery.open(tmp_path / "g.sqlite", origin, create=True) as gallery:
        for k, vector in enumerate(vectors):
            gallery.add_templates(f"p{k % 6}", [NewTemplate(vector, f"{k:064x}", f"{k}", facts)])
        for who, groups in (("p1", ["staff"]), ("p3", ["staff", "board"]), ("p4", ["board"])):
            gallery.edit(who, groups=groups)

        def names(*groups: str) -> list[str]:
            return list(gallery.matrix(groups).names)

        assert names("staff") == names("staff", "staff") == ["p1", "p3"]
        assert names("board", "staff") == ["p1", "p3", "p4"]
        assert gallery.matrix(("staff",)) is gallery.matrix("staff")
        whole, part = gallery.matrix(), gallery.matrix("board")
        at = [whole.names.index(name) for name in part.names]
        assert np.array_equal(part.centres, whole.centres[at])
        assert np.array_equal(part.spread, whole.spread[at])
        assert np.array_equal(part.numbers, whole.numbers[at])
        assert np.array_equal(part.vectors, whole.vectors[np.isin(whole.person_index, at)])
        gallery.edit("p3", groups=["staff"])
        gallery.edit("p0", groups=["board"])
        assert names("board") == ["p0", "p4"]
        assert names("nobody") == []
        assert len(gallery.matrix()) == 6
