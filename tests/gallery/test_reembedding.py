"""A gallery embedded again: the old vectors answer until one switch, and nothing and nobody is lost or comes back.

Pictures here are files that hold their own name; the callback makes a vector of the content and the box.
"""

import hashlib
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from multiface.arrays import Floats
from multiface.errors import FingerprintMismatch, GalleryError, PictureError
from multiface.gallery import reembedding as job
from multiface.gallery.contents import Crop, NewTemplate, PictureFacts, VectorOrigin
from multiface.gallery.folder_import import sync_folder
from multiface.gallery.gallery import Gallery
from multiface.gallery.reembedding import NOT_FOUND, WantedFaces, reembed
from multiface.gallery.strangers import Sighting

Make = Callable[..., NewTemplate]
ROOT = Path(__file__).parents[2]
NEW = VectorOrigin("cd" * 32, "other", "yunet", 64, False)


def new_vector(content: bytes, box: Sequence[float] = ()) -> Floats:
    """What the new weights make of a face."""
    seed = hashlib.sha256(content + str([round(edge) for edge in box]).encode()).digest()
    vector = np.random.default_rng([*seed]).normal(size=NEW.dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def embed(wanted: Sequence[WantedFaces]) -> Iterable[list[Floats | str]]:
    for one in wanted:
        places = [place if isinstance(place, bytes) else content(place) for place in one.places]
        found = [held for held in places if hashlib.sha256(held).hexdigest() == one.digest]
        yield [vector_of(found[0], facts) if found else NOT_FOUND for facts in one.faces]


def content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def vector_of(held: bytes, facts: PictureFacts | None) -> Floats | str:
    if held.startswith(b"faceless"):
        return "no face"
    return new_vector(held, () if facts is None else facts.box)


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[..., Path]:
    """Writes pictures, each holding its name, into a folder."""

    def write(folder: str, *names: str) -> Path:
        for name in names:
            path = tmp_path / folder / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(Path(name).name.encode())
        return tmp_path / folder

    return write


def meet(gallery: Gallery, template: Make, picture: str, shade: int) -> int:
    pixels = np.full((32, 24, 3), shade, np.uint8)
    sighting = Sighting(template(picture).vector, 0.1, 0.5, pixels, "2099-01-01T00:00:00+00:00")
    return gallery.strangers.find(sighting, lambda spread: np.full(len(spread), 0.99), (), timedelta(days=9))


def test_everybody_is_embedded_again_and_the_old_answer_until_then(
    gallery: Gallery, template: Make, pictures: Callable[..., Path]
) -> None:
    people = pictures("people", *(f"p{k}/a{k}" for k in range(40)))
    sync_folder(gallery, people, lambda paths: [(path, template(path.stem)) for path in paths])
    gallery.add_templates(
        "by hand", [template("c", (5, 5, 20, 20)), template("c", (60, 60, 90, 90)), template("d")]
    )
    before = {one.id: gallery.templates(one.id) for one in gallery.people()}
    old = gallery.search(template("d").vector[None], "mean")
    told: list[tuple[int, int | None]] = []

    def watched(wanted: Sequence[WantedFaces]) -> Iterable[Sequence[Floats | str]]:
        with Gallery.open(gallery.location) as other:
            assert (other.origin, other.search(template("d").vector[None], "mean")) == (gallery.origin, old)
            assert other.reembedding() is not None
        return embed(wanted)

    done = reembed(
        gallery,
        NEW,
        watched,
        folders=[pictures("elsewhere", "deep/er/c", "d", "unknown")],
        progress=lambda at, of: told.append((at, of)),
    )
    assert (done.switched, done.templates, done.missing, done.strangers) == (True, 43, (), 0)
    assert told[-1] == (43, 43) and told == sorted(told) and told[0][0] < 43
    for use in (gallery.matrix, gallery.people, lambda: gallery.add_templates("x", [template("x")])):
        with pytest.raises(FingerprintMismatch, match="was embedded again with the weights 'other'"):
            use()
    with Gallery.open(gallery.location, NEW) as again:
        assert again.reembedding() is None and again.check().problems == ()
        nothing = reembed(again, NEW, watched)
        assert (nothing.switched, nothing.templates, nothing.strangers, nothing.faces) == (True, 0, 0, 0)
        for who, templates in before.items():
            for one, now in zip(templates, again.templates(who), strict=True):
                assert replace(now, vector=one.vector) != one  # arrays: told apart by identity
                assert (now.id, now.source, now.facts, now.added) == (
                    one.id,
                    one.source,
                    one.facts,
                    one.added,
                )
                name = Path(one.source).stem
                assert now.vector.tobytes() == new_vector(name.encode(), one.facts.box).tobytes()
        assert again.search(new_vector(b"d", (10, 10, 60, 70))[None], "mean")[0].name == "by hand"
        assert again.changes()[0].kind == "reembed" and not again.changes()[0].can_be_undone
        with pytest.raises(GalleryError, match="cannot be undone"):
            again.undo(again.changes()[0].id)
        # A folder that was imported is known still.
        report = sync_folder(again, people, lambda _: pytest.fail("nothing is new"))
        assert report.unchanged == 40
    with pytest.raises(FingerprintMismatch, match="people reembed"):
        Gallery.open(gallery.location, gallery.origin)


def test_without_a_picture_there_is_no_switch(
    gallery: Gallery, template: Make, pictures: Callable[..., Path]
) -> None:
    anna = gallery.add_templates("Anna", [template("a"), template("b")]).person
    bo = gallery.add_templates("Bo", [template("c"), template("faceless")]).person
    gallery.edit("Bo", cover=gallery.templates("Bo")[0].id)
    folder = pictures("there", "a", "b", "faceless")
    done = reembed(gallery, NEW, embed, folders=[folder])
    assert (done.switched, done.templates) == (False, 2)
    assert [(one.person, one.name, one.source, one.reason) for one in done.missing] == [
        (bo, "Bo", "c.jpg", NOT_FOUND),
        (bo, "Bo", "faceless.jpg", "no face"),
    ]
    assert done.missing[0].digest == hashlib.sha256(b"c").hexdigest()
    assert gallery.matrix().vectors.shape == (4, 128)
    state = gallery.reembedding()
    assert state is not None and (state.origin, state.templates, state.total) == (NEW, 2, 4)
    asked: list[str] = []

    def only_the_rest(wanted: Sequence[WantedFaces]) -> Iterable[Sequence[Floats | str]]:
        asked.extend(one.digest for one in wanted)
        return embed(wanted)

    done = reembed(gallery, NEW, only_the_rest, folders=[folder], drop_missing=True)
    assert set(asked) == {hashlib.sha256(name).hexdigest() for name in (b"faceless",)}
    assert (done.switched, done.templates, len(done.missing)) == (True, 2, 2)
    assert done.without_template == ("Bo",)
    with Gallery.open(gallery.location, NEW) as again:
        assert {one.id: (one.templates, one.cover) for one in again.people()} == {
            anna: (2, None),
            bo: (0, None),
        }
        assert again.check().problems == ()
        assert again.changes()[0].facts["dropped"] == [one.template for one in done.missing]


def test_a_picture_that_changed_is_not_the_picture(
    gallery: Gallery, template: Make, pictures: Callable[..., Path]
) -> None:
    people = pictures("people", "anna/a")
    sync_folder(gallery, people, lambda paths: [(path, template(path.stem)) for path in paths])
    (people / "anna" / "a.jpg").write_bytes(b"somebody else")
    assert [one.reason for one in reembed(gallery, NEW, embed).missing] == [NOT_FOUND]
    assert reembed(gallery, NEW, embed, folders=[pictures("moved", "a")]).switched
    with pytest.raises(PictureError, match="no such folder"), Gallery.open(gallery.location) as again:
        again.add_templates("x", [replace(template("x"), vector=new_vector(b"x"))])
        reembed(again, gallery.origin, embed, folders=[people / "none"])


class Stopped(BaseException):
    """As Ctrl-C comes."""


def test_stopped_it_goes_on(
    gallery: Gallery, template: Make, pictures: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "BATCH", 3)
    names = [f"a{k}" for k in range(20)]
    folder = pictures("there", *names)
    gallery.add_templates("Anna", [template(name) for name in names])
    asked: list[str] = []
    last = 9

    def noted(wanted: Sequence[WantedFaces]) -> Iterable[Sequence[Floats | str]]:
        found = [one.digest for one in wanted if one.places]  # nothing, before the folder was looked at
        if len(asked) >= last and found:
            raise Stopped
        asked.extend(found)
        return embed(wanted)

    with pytest.raises(Stopped):
        reembed(gallery, NEW, noted, folders=[folder])
    state = gallery.reembedding()
    assert state is not None and state.templates == 9
    first, asked, last = asked, [], 99
    with Gallery.open(gallery.location) as other:
        assert reembed(other, NEW, noted, folders=[folder]).templates == 20
    assert len(first) == 9 and len(asked) == 11 and not set(first) & set(asked)


def test_what_happens_meanwhile_is_followed(
    gallery: Gallery, template: Make, pictures: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enrolled, merged, split, renamed, removed and undone by others, before, while and after a picture's turn."""
    monkeypatch.setattr(job, "BATCH", 1)
    names = [f"{who}{k}" for who in "abcdef" for k in range(2)]
    people = pictures("people", *(f"{name[0]}/{name}" for name in names), "g/g0", "h/h0")
    more = pictures("more", "late/l0")
    sync_folder(gallery, people, lambda paths: [(path, template(path.stem)) for path in paths])
    ids = {one.name: one.id for one in gallery.people()}
    with Gallery.open(gallery.location) as other:

        def import_late() -> None:
            sync_folder(other, more, lambda paths: [(path, template(path.stem)) for path in paths])

        steps: list[Callable[[], object]] = [
            lambda: other.remove("f"),  # not embedded yet
            lambda: other.merge("b", "a"),  # one of a's templates is
            lambda: other.split("b", [one.id for one in other.templates("b")][:1], "a again"),
            lambda: other.rename("c", "C"),
            lambda: other.remove("b"),  # some are embedded
            import_late,
            lambda: other.undo(next(one for one in other.changes() if one.kind == "rename").id),
            lambda: other.edit("d", note="n"),
        ]

        def with_others(wanted: Sequence[WantedFaces]) -> Iterable[Sequence[Floats | str]]:
            if steps:
                steps.pop(0)()
            return embed(wanted)

        done = reembed(gallery, NEW, with_others)
        assert done.switched and not steps
        expected = {"a again": {"a0"}, "c": {"c0", "c1"}, "d": {"d0", "d1"}, "e": {"e0", "e1"}}
        expected |= {"g": {"g0"}, "h": {"h0"}, "late": {"l0"}}
        with Gallery.open(gallery.location, NEW) as again:
            now = {one.name: again.templates(one.id) for one in again.people()}
            assert {name: {Path(one.source).stem for one in own} for name, own in now.items()} == expected
            for own in now.values():
                for one in own:
                    wanted = new_vector(Path(one.source).stem.encode(), one.facts.box)
                    assert one.vector.tobytes() == wanted.tobytes()
            assert done.templates == sum(map(len, expected.values()))
            assert again.person(ids["d"]).note == "n" and again.check().problems == ()
        with pytest.raises(FingerprintMismatch):
            other.matrix()


def test_what_comes_at_the_last_moment_is_embedded_before_the_switch(
    gallery: Gallery, template: Make, pictures: Callable[..., Path]
) -> None:
    """After the last batch, where the switch itself notices."""
    folder = pictures("people", "anna/a")
    sync_folder(gallery, folder, lambda paths: [(path, template(path.stem)) for path in paths])
    with Gallery.open(gallery.location) as other:
        more = iter(["b", "c"])

        def at_the_end(at: int, of: int | None) -> None:
            name = next(more, None) if at == of else None
            if name is not None:
                pictures("people", f"bo/{name}")
                sync_folder(other, folder, lambda paths: [(path, template(path.stem)) for path in paths])
                meet(other, template, name, 200 - len(name))

        done = reembed(gallery, NEW, embed, progress=at_the_end)
    assert (done.switched, done.templates, done.strangers) == (True, 3, 2)


def test_strangers_are_embedded_from_their_picture_or_go(gallery: Gallery, template: Make) -> None:
    seen, faceless, gone, better = (meet(gallery, template, f"s{k}", 50 * k) for k in range(4))
    gallery.strangers.remove(gone)
    pictures = {number: gallery.strangers.picture(number) for number in (seen, faceless, better)}
    bright = np.full((40, 40, 3), 250, np.uint8)

    def with_one_hidden(wanted: Sequence[WantedFaces]) -> Iterable[Sequence[Floats | str]]:
        assert all(one.faces == (None,) for one in wanted)
        hidden = hashlib.sha256(pictures[faceless]).hexdigest()
        answers = [
            ["no face"] if one.digest == hidden else made
            for one, made in zip(wanted, embed(wanted), strict=True)
        ]
        if bright is not None and better not in learnt:
            learnt.add(better)
            with Gallery.open(gallery.location) as other:
                sighting = Sighting(template("s9").vector, 0.2, 0.9, bright, "2099-02-01T00:00:00+00:00")
                other.strangers.learn(better, sighting, timedelta(days=9))
        return answers

    learnt: set[int] = set()
    done = reembed(gallery, NEW, with_one_hidden)
    assert (done.switched, done.strangers, done.strangers_gone) == (True, 2, 1)
    with pytest.raises(FingerprintMismatch):
        meet(gallery, template, "s0", 0)
    with Gallery.open(gallery.location, NEW) as again:
        assert [(one.number, one.views) for one in again.strangers.list()] == [(seen, 1), (better, 1)]
        assert again.check().problems == ()
        picture = again.strangers.picture(better)
        assert picture != pictures[better]  # the newer one counts
        again.strangers.name(better, "Bea")
        assert again.matrix().vectors[0].tobytes() == new_vector(picture).tobytes()


def test_changes_that_hold_old_vectors_can_be_undone_no_more(
    gallery: Gallery, template: Make, pictures: Callable[..., Path]
) -> None:
    stranger = meet(gallery, template, "s", 9)
    folder = pictures("there", "a")
    (folder / "s.jpg").write_bytes(gallery.strangers.picture(stranger))
    gallery.strangers.name(stranger, "Sam")
    gallery.add_templates("Anna", [template("a")])
    gallery.merge("Anna", "Sam")
    named, merged = (next(one for one in gallery.changes() if one.kind == kind) for kind in ("name", "merge"))
    assert named.can_be_undone

    def all_there(wanted: Sequence[WantedFaces]) -> Iterable[list[Floats | str]]:
        return [[new_vector(one.digest.encode()) for _ in one.faces] for one in wanted]

    assert reembed(gallery, NEW, all_there, folders=[folder]).switched
    with Gallery.open(gallery.location, NEW) as again:
        assert not next(one for one in again.changes() if one.kind == "name").can_be_undone
        with pytest.raises(GalleryError, match="was embedded again with other weights since"):
            again.undo(named.id)
        again.undo(merged.id)
        assert {one.name: one.templates for one in again.people()} == {"Anna": 1, "Sam": 1}
        assert again.check().problems == () and again.matrix().vectors.shape == (2, 64)


def test_one_at_a_time_until_it_is_given_up(
    gallery: Gallery, template: Make, pictures: Callable[..., Path]
) -> None:
    assert not gallery.cancel_reembedding()
    gallery.add_templates("Anna", [template("a"), template("b")])
    folder = pictures("there", "a")
    assert not reembed(gallery, NEW, embed, folders=[folder]).switched
    for other in (
        replace(NEW, flip=True),
        replace(NEW, fingerprint="ef" * 32),
        replace(NEW, detector="mtcnn"),
    ):
        with pytest.raises(GalleryError, match=r"'other'.*yunet since .* 1 of 2 are done.*--cancel"):
            reembed(gallery, other, embed)
    assert gallery.cancel_reembedding() and gallery.reembedding() is None
    with gallery.database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM reembedded_template").fetchone() == (0,)
    assert gallery.matrix().vectors.shape == (2, 128)

    def given_up(wanted: Sequence[WantedFaces]) -> Iterable[Sequence[Floats | str]]:
        with Gallery.open(gallery.location) as other:
            other.cancel_reembedding()
        return embed(wanted)

    with pytest.raises(GalleryError, match="given up by another process"):
        reembed(gallery, NEW, given_up, folders=[folder])
    assert gallery.matrix().vectors.shape == (2, 128)


def test_the_same_weights_are_nothing_to_do(
    gallery: Gallery, template: Make, pictures: Callable[..., Path]
) -> None:
    gallery.add_templates("Anna", [template("a")])
    done = reembed(gallery, gallery.origin, lambda _: pytest.fail("nothing to embed"))
    assert done.switched and done.templates == 0 and len(gallery.matrix().vectors) == 1

    # Another detector gives other vectors, which can be compared: who has the gallery open goes on.
    def all_there(wanted: Sequence[WantedFaces]) -> Iterable[list[Floats | str]]:
        return [[template("z").vector for _ in one.faces] for one in wanted]

    assert reembed(
        gallery, replace(gallery.origin, detector="yunet"), all_there, folders=[pictures("p", "a")]
    ).switched
    assert gallery.matrix().vectors[0].tobytes() == template("z").vector.tobytes()
    with Gallery.open(gallery.location) as again:
        assert again.origin.detector == "yunet"


def test_vectors_that_no_gallery_can_hold(
    gallery: Gallery, template: Make, pictures: Callable[..., Path]
) -> None:
    gallery.add_templates("Anna", [template("a")])
    there = [pictures("there", "a")]
    for wrong, reason in (
        (np.zeros(64, np.float32), "length 0"),
        (np.full(64, np.nan, np.float32), "not finite"),
        (template("a").vector, r"holds \(64,\)"),
    ):
        (missing,) = reembed(gallery, NEW, lambda w, v=wrong: [[v] for _ in w], folders=there).missing  # type: ignore[misc]
        assert re.search(reason, missing.reason)
    for short in ([], [[]], [["a", "b"]]):
        with pytest.raises(ValueError, match="embed: gave"):
            reembed(gallery, NEW, lambda _, s=short: s, folders=there)  # type: ignore[misc]


def test_old_and_unused_vectors_leave_every_byte(
    gallery: Gallery, path: Path, template: Make, pictures: Callable[..., Path]
) -> None:
    folder = pictures("there", "a", "b")
    gallery.add_templates("Anna", [template("a")])
    gallery.add_templates("Bo", [template("b"), template("c")])
    gallery.strangers.name(meet(gallery, template, "s", 9), "Sam")
    gallery.remove("Sam")
    number = meet(gallery, template, "t", 7)
    gallery.strangers.name(number, "Tim")

    def held() -> bytes:
        return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))

    new_a, new_b = (new_vector(name, (10, 10, 60, 70)).tobytes() for name in (b"a", b"b"))
    assert not reembed(gallery, NEW, embed, folders=[folder]).switched
    assert new_a in held() and new_b in held()
    gallery.remove("Bo")
    assert new_a in held() and new_b not in held()
    gallery.cancel_reembedding()
    assert new_a not in held()
    done = reembed(gallery, NEW, embed, folders=[folder], drop_missing=True)
    assert done.switched and done.purged
    assert new_a in held()
    for old in ("a", "t"):
        assert template(old).vector.tobytes() not in held()


def test_a_full_disk_loses_nothing(
    gallery: Gallery,
    path: Path,
    template: Make,
    pictures: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job, "BATCH", 5)
    names = [f"a{k}" for k in range(200)]
    folder = pictures("there", *names)
    gallery.add_templates("Anna", [template(name) for name in names])
    with gallery.database.reading() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    ends = []
    for spare in (0, 2, 4, 8, 12, 16, 24):
        with gallery.database.reading() as connection:
            connection.execute(f"PRAGMA max_page_count = {pages + spare}").fetchone()
        try:
            ends.append(reembed(gallery, NEW, embed, folders=[folder]).switched)
            break
        except GalleryError as error:
            assert "the disk is full" in str(error)
            ends.append(False)
        assert gallery.matrix().vectors.shape == (200, 128) and gallery.check().problems == ()
    assert ends[-1] and ends.count(False) >= 2
    with Gallery.open(path, NEW) as again:
        assert again.matrix().vectors.shape == (200, 64) and again.check().problems == ()


def test_crops_where_the_pictures_give_nothing(
    gallery: Gallery, template: Make, pictures: Callable[..., Path]
) -> None:
    """A picture counts more than a crop, also one that is found only in a later run."""
    new = [
        replace(template(name), crop=Crop(f"crop {name}".encode())) for name in ("a", "b", "c", "faceless")
    ]
    gallery.add_templates("Anna", [*new, template("d")])
    gallery.add_templates("Bo", [replace(template("e"), crop=Crop(b"faceless crop", aligned=False))])
    folder = pictures("people", "anna/a", "anna/faceless")
    sync_folder(gallery, folder, lambda paths: [(path, template(path.stem)) for path in paths])
    aligned: dict[bytes, bool] = {}

    def noted(wanted: Sequence[WantedFaces]) -> Iterable[Sequence[Floats | str]]:
        aligned.update(
            {place: one.aligned for one in wanted for place in one.places if isinstance(place, bytes)}
        )
        return embed(wanted)

    done = reembed(gallery, NEW, noted)
    assert [(one.name, one.source, one.reason) for one in done.missing] == [
        ("Anna", "d.jpg", NOT_FOUND),
        ("Bo", "e.jpg", NOT_FOUND),
    ]
    assert (done.templates, done.from_crops) == (4, 3)
    assert aligned == {
        **{f"crop {name}".encode(): True for name in ("b", "c", "faceless")},
        b"faceless crop": False,
    }
    done = reembed(gallery, NEW, noted, folders=[pictures("there", "c")], drop_missing=True)
    assert (done.switched, done.templates, done.from_crops) == (True, 4, 2)
    with Gallery.open(gallery.location, NEW) as again:
        vectors = {one.source: one.vector.tobytes() for one in again.templates("Anna")}
        assert vectors == {
            "a.jpg": new_vector(b"a", (10, 10, 60, 70)).tobytes(),
            "b.jpg": new_vector(b"crop b").tobytes(),
            "c.jpg": new_vector(b"c", (10, 10, 60, 70)).tobytes(),
            "faceless.jpg": new_vector(b"crop faceless").tobytes(),
        }
        assert again.crop(again.templates("Anna")[0].id) == Crop(b"crop a")


def test_crops_are_deleted_with_their_template_or_alone(gallery: Gallery, template: Make) -> None:
    gallery.add_templates("Anna", [replace(template(name), crop=Crop(name.encode())) for name in "ab"])
    gallery.add_templates("Bo", [replace(template("c"), crop=Crop(b"c", aligned=False)), template("d")])
    ids = [one.id for name in ("Anna", "Bo") for one in gallery.templates(name)]
    assert [gallery.crop(one) for one in ids] == [Crop(b"a"), Crop(b"b"), Crop(b"c", aligned=False), None]
    gallery.remove("Anna")
    assert [gallery.crop(one) for one in ids] == [None, None, Crop(b"c", aligned=False), None]
    assert gallery.forget_crops().templates == 1
    assert gallery.crop(ids[2]) is None and gallery.person("Bo").templates == 2


def test_a_named_stranger_keeps_the_picture_as_a_crop(gallery: Gallery, template: Make) -> None:
    for crops in (True, False):
        number = meet(gallery, template, f"s{crops}", 9 if crops else 200)
        picture = gallery.strangers.picture(number)
        name = gallery.strangers.name(number, f"Sam {crops}", crops=crops).id
        (one,) = gallery.templates(name)
        assert gallery.crop(one.id) == (Crop(picture, aligned=False) if crops else None)
    done = reembed(gallery, NEW, embed, drop_missing=True)
    assert (done.templates, [one.name for one in done.missing]) == (1, ["Sam False"])


KILLED = """
import sys
from multiface.gallery import Gallery, reembed, reembedding
from tests.gallery.test_reembedding import NEW, embed
reembedding.BATCH = 4
def told(wanted):
    print("embedding", flush=True)
    return embed(wanted)
with Gallery.open(sys.argv[1]) as gallery:
    assert reembed(gallery, NEW, told, folders=[sys.argv[2]]).switched
    print("switched", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX")
def test_killed_at_random_moments(
    location: str | Path, origin: VectorOrigin, template: Make, pictures: Callable[..., Path]
) -> None:
    """All vectors are the old ones or all are the new ones; what was made stays; a last run ends it."""
    names = [f"a{k}" for k in range(150)]
    folder = pictures("there", *names)
    old = {template(name).vector.tobytes() for name in names}
    new = {new_vector(name.encode(), (10, 10, 60, 70)).tobytes() for name in names}
    command = [sys.executable, "-c", KILLED, str(location), str(folder)]
    with Gallery.open(location, origin, create=True) as gallery:
        for k in range(0, 150, 10):
            gallery.add_templates(f"p{k}", [template(name) for name in names[k : k + 10]])
    rng, made, half_done = random.Random(4), 0, 0
    for _ in range(8):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
        assert process.stdout is not None
        for _ in range(rng.randrange(1, 12)):
            process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.01))
        process.kill()
        process.communicate()
        with Gallery.open(location) as gallery:
            assert gallery.check().problems == ()
            held = {row.tobytes() for row in gallery.matrix().vectors}
            state = gallery.reembedding()
            if gallery.origin == NEW:
                assert held == new and state is None
                break
            assert held == old and gallery.origin == origin
            assert (0 if state is None else state.templates) >= made
            made = 0 if state is None else state.templates
            half_done += 0 < made < 150
    assert half_done
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True, timeout=60)
    with Gallery.open(location, NEW) as gallery:
        assert {row.tobytes() for row in gallery.matrix().vectors} == new
        assert gallery.reembedding() is None and len(gallery.people()) == 15
