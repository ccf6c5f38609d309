"""A folder of pictures into a gallery: what is embedded, what is not, what is reported, what survives."""

import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from multiface.errors import UsageError
from multiface.gallery import folder_rows
from multiface.gallery.contents import NewTemplate, PictureFacts, VectorOrigin
from multiface.gallery.folder_import import (
    FolderProgress,
    FolderReport,
    Outcome,
    Refusal,
    RefusedPicture,
    sync_folder,
)
from multiface.gallery.folder_vanished import content_is_gone, drop_vanished, folder_is_gone
from multiface.gallery.gallery import Gallery
from multiface.images.listing import Listing, list_pictures

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"


def picture(path: Path, content: str) -> Path:
    """A file that begins like a JPEG; nobody decodes it here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(JPEG + content.encode())
    return path


class Embedder:
    """A vector from the file's digest; a content that says "no face" is refused."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, paths: Sequence[Path]) -> Iterator[tuple[Path, Outcome]]:
        assert len(paths) <= 32
        for path in reversed(paths):
            self.seen.append(path.name)
            content = path.read_bytes()
            if b"no face" in content:
                yield path, Refusal("no face was found")
                continue
            digest = hashlib.sha256(content)
            vector = np.random.default_rng(list(digest.digest())).normal(size=128).astype(np.float32)
            vector /= np.linalg.norm(vector)
            facts = PictureFacts(640, 480, (10, 10, 60, 70), 0.9, "mtcnn", 0, 1)
            yield path, NewTemplate(vector, digest.hexdigest(), str(path), facts)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "people"
    for name in ("anna", "bob"):
        for number in (1, 2, 3):
            picture(folder / name / f"{number}.jpg", f"{name} {number}")
    return folder


def run(
    gallery: Gallery, folder: Path, *, prune: bool = False, detector: str = ""
) -> tuple[FolderReport, list[str]]:
    embed = Embedder()
    report = sync_folder(gallery, folder, embed, prune=prune, detector=detector)
    assert report.embedded == len(embed.seen)
    assert gallery.check().problems == ()
    return report, sorted(embed.seen)


def held(gallery: Gallery) -> dict[str, list[str]]:
    return {
        person.name: sorted(template.source for template in gallery.templates(person.name))
        for person in gallery.people()
    }


def test_first_and_second_run(gallery: Gallery, folder: Path) -> None:
    picture(folder / "anna" / "holiday" / "beach" / "4.jpg", "anna 4")
    picture(folder / "obama.jpg", "obama")
    (folder / "anna" / "notes.txt").write_text("not a picture")
    report, seen = run(gallery, folder)
    assert (report.added, report.people, len(seen)) == (8, ("anna", "bob", "obama"), 8)
    assert report.passed_over == ("anna/notes.txt",)
    assert held(gallery) == {
        "anna": ["anna/1.jpg", "anna/2.jpg", "anna/3.jpg", "anna/holiday/beach/4.jpg"],
        "bob": ["bob/1.jpg", "bob/2.jpg", "bob/3.jpg"],
        "obama": ["obama.jpg"],
    }
    matrix = gallery.matrix()
    report, seen = run(gallery, folder)
    assert (report.unchanged, report.added, seen, report.people) == (8, 0, [], ("anna", "bob", "obama"))
    assert gallery.matrix() is matrix  # a run without news writes nothing


def test_touching_is_no_change(gallery: Gallery, folder: Path) -> None:
    run(gallery, folder)
    os.utime(folder / "anna" / "1.jpg", (1, 1))
    report, seen = run(gallery, folder)
    assert (report.unchanged, seen) == (6, [])


def test_new_changed_and_vanished(gallery: Gallery, folder: Path) -> None:
    run(gallery, folder)
    before = held(gallery)
    picture(folder / "anna" / "1.jpg", "anna 1 retouched")
    picture(folder / "carl" / "1.jpg", "carl 1")
    (folder / "bob" / "2.jpg").unlink()
    report, seen = run(gallery, folder)
    assert seen == ["1.jpg", "1.jpg"]
    assert (report.added, report.changed, report.unchanged) == (1, 1, 4)
    assert (report.vanished, report.removed) == (("bob/2.jpg",), 1)  # removed: the old content of anna/1.jpg
    assert held(gallery) == {**before, "carl": ["carl/1.jpg"]}
    report, _ = run(gallery, folder)
    assert (report.vanished, report.removed) == (("bob/2.jpg",), 0)  # still said, still there
    report, _ = run(gallery, folder, prune=True)
    assert (report.vanished, report.removed) == (("bob/2.jpg",), 1)
    assert held(gallery)["bob"] == ["bob/1.jpg", "bob/3.jpg"]
    shutil.rmtree(folder / "bob")
    report, _ = run(gallery, folder, prune=True)
    assert report.vanished == ("bob/1.jpg", "bob/3.jpg") and "bob" not in held(gallery)
    assert run(gallery, folder, prune=True)[0].vanished == ()


def test_moves_are_not_embedded_again(gallery: Gallery, folder: Path) -> None:
    run(gallery, folder)
    (folder / "anna" / "1.jpg").rename(folder / "anna" / "first.jpg")
    (folder / "anna" / "2.jpg").rename(folder / "bob" / "9.jpg")  # it was Bob all the time
    report, seen = run(gallery, folder)
    assert (seen, report.moved, report.unchanged, report.vanished) == ([], 2, 4, ())
    assert [(person.name, person.templates) for person in gallery.people()] == [("anna", 2), ("bob", 4)]
    (folder / "anna").rename(folder / "Anna")
    report, seen = run(gallery, folder)
    assert (seen, report.moved, report.people) == ([], 2, ("Anna", "bob"))
    assert [person.name for person in gallery.people()] == ["Anna", "bob"]


def test_swapped_contents(gallery: Gallery, folder: Path) -> None:
    run(gallery, folder)
    one, two = folder / "anna" / "1.jpg", folder / "bob" / "2.jpg"
    contents = one.read_bytes(), two.read_bytes()
    one.write_bytes(contents[1])
    two.write_bytes(contents[0])
    report, seen = run(gallery, folder)
    assert (seen, report.refused, report.vanished) == ([], (), ())
    assert [(person.name, person.templates) for person in gallery.people()] == [("anna", 3), ("bob", 3)]
    digests = {template.source_digest for template in gallery.templates("anna")}
    assert hashlib.sha256(contents[1]).hexdigest() in digests
    assert hashlib.sha256(contents[0]).hexdigest() not in digests


def test_the_folder_itself_may_move(gallery: Gallery, folder: Path) -> None:
    run(gallery, folder)
    moved = folder.rename(folder.with_name("elsewhere"))
    report, seen = run(gallery, moved)
    assert (seen, report.moved, report.copies) == ([], 6, 0)
    assert [person.templates for person in gallery.people()] == [3, 3]


def test_pruning_after_the_folder_moved(gallery: Gallery, folder: Path) -> None:
    run(gallery, folder)
    moved = folder.rename(folder.with_name("elsewhere"))
    run(gallery, moved)
    (moved / "anna" / "1.jpg").unlink()
    report, _ = run(gallery, moved, prune=True)
    assert (report.vanished, report.removed) == (("anna/1.jpg",), 1)
    assert gallery.person("anna").templates == 2


def test_a_folder_that_is_gone_keeps_nothing_and_one_that_is_there_does(
    gallery: Gallery, folder: Path
) -> None:
    """Two folders with the same pictures, as a gallery holds them that followed a copy."""
    run(gallery, folder)
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    assert run(gallery, copy)[0].copies == 6
    (copy / "anna" / "1.jpg").unlink()
    report, _ = run(gallery, copy, prune=True)
    assert (report.vanished, report.removed) == (("anna/1.jpg",), 0)
    assert gallery.person("anna").templates == 3  # the first folder has it
    shutil.rmtree(folder)
    (copy / "anna" / "2.jpg").unlink()
    report, _ = run(gallery, copy, prune=True)
    assert (report.vanished, report.removed) == (("anna/2.jpg",), 1)
    assert gallery.person("anna").templates == 2


def test_a_folder_that_is_gone_gives_nobody_away(gallery: Gallery, folder: Path) -> None:
    """It may be a drive that is not there: its pictures under another name are refused, not taken over."""
    run(gallery, folder)
    moved = folder.rename(folder.with_name("elsewhere"))
    (moved / "anna").rename(moved / "Anna")
    report, _ = run(gallery, moved)
    assert [refused.path for refused in report.refused] == ["Anna/1.jpg", "Anna/2.jpg", "Anna/3.jpg"]
    assert held(gallery).keys() == {"anna", "bob"}
    gallery.rename("anna", "Anna")
    report, seen = run(gallery, moved)
    assert (report.refused, report.moved, seen) == ((), 3, [])


def test_a_picture_that_another_run_adds_meanwhile_is_not_pruned(
    gallery: Gallery, path: Path, folder: Path
) -> None:
    def embed(paths: Sequence[Path]) -> Iterator[tuple[Path, Outcome]]:
        if not (folder / "anna" / "4.jpg").exists():  # once, after the folder was listed
            picture(folder / "anna" / "4.jpg", "anna 4")
            picture(folder / "bob" / "2.jpg", "bob 2 retouched")
            with Gallery.open(path) as other:
                run(other, folder)
        return Embedder()(paths)

    run(gallery, folder)
    picture(folder / "anna" / "3.jpg", "anna 3 retouched")
    report = sync_folder(gallery, folder, embed, prune=True)
    assert report.vanished == ()
    assert "anna/4.jpg" in held(gallery)["anna"]
    assert held(gallery)["bob"] == ["bob/1.jpg", "bob/2.jpg", "bob/3.jpg"]
    report, seen = run(gallery, folder, prune=True)
    assert (seen, report.unchanged, report.removed) == ([], 7, 0)


def test_a_person_removed_by_another_process_meanwhile(
    gallery: Gallery, path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed_then_removed(where: Path) -> Listing:
        with Gallery.open(path) as other:
            other.remove("anna")
        return list_pictures(where)

    run(gallery, folder)
    os.utime(folder / "anna" / "1.jpg", (1, 1))
    with monkeypatch.context() as patch:
        patch.setattr("multiface.gallery.folder_import.list_pictures", listed_then_removed)
        report, _ = run(gallery, folder)
    assert (report.people, report.without_picture) == (("bob",), ("anna",))
    assert run(gallery, folder)[0].added == 3


def test_copies(gallery: Gallery, folder: Path) -> None:
    shutil.copy(folder / "anna" / "1.jpg", folder / "anna" / "copy.jpg")
    report, seen = run(gallery, folder)
    assert (len(seen), report.added, report.copies) == (6, 6, 1)
    (folder / "anna" / "1.jpg").unlink()
    report, _ = run(gallery, folder, prune=True)
    assert (report.vanished, report.removed) == (("anna/1.jpg",), 0)  # the copy keeps the template
    (folder / "anna" / "copy.jpg").unlink()
    assert run(gallery, folder, prune=True)[0].removed == 1


def test_one_picture_under_two_people(gallery: Gallery, folder: Path) -> None:
    shutil.copy(folder / "anna" / "1.jpg", folder / "zoe.jpg")
    for new in (True, False):
        report, _ = run(gallery, folder)
        (refused,) = report.refused
        assert refused.path == "zoe.jpg" and "'anna'" in refused.reason and refused.new == new
        assert report.without_picture == ("zoe",)
    assert run(gallery, folder)[1] == []
    (folder / "anna" / "1.jpg").unlink()
    report, seen = run(gallery, folder)
    assert (report.refused, report.people, seen) == ((), ("anna", "bob", "zoe"), [])


def test_a_picture_enrolled_by_hand_is_never_pruned(gallery: Gallery, folder: Path) -> None:
    by_hand = dict(Embedder()([folder / "anna" / "1.jpg"]))[folder / "anna" / "1.jpg"]
    assert isinstance(by_hand, NewTemplate)
    gallery.add_templates("anna", [by_hand])
    report, seen = run(gallery, folder)
    assert (len(seen), report.added, report.copies) == (5, 5, 1)
    shutil.rmtree(folder / "anna")
    run(gallery, folder, prune=True)
    assert gallery.person("anna").templates == 1


def test_a_face_enrolled_by_hand_as_another_is_refused_and_remembered(gallery: Gallery, folder: Path) -> None:
    by_hand = dict(Embedder()([folder / "anna" / "1.jpg"]))[folder / "anna" / "1.jpg"]
    assert isinstance(by_hand, NewTemplate)
    other_face = replace(by_hand, facts=replace(by_hand.facts, box=(300, 300, 400, 400)))
    gallery.add_templates("Eve", [other_face])
    gallery.add_templates("Mallory", [by_hand])
    report, seen = run(gallery, folder)
    assert len(seen) == 6 and [refused.path for refused in report.refused] == ["anna/1.jpg"]
    assert "Mallory" in report.refused[0].reason
    report, seen = run(gallery, folder)
    assert seen == [] and not report.refused[0].new
    gallery.remove("Mallory")
    report, seen = run(gallery, folder)
    assert (seen, report.refused) == (["1.jpg"], ())
    assert gallery.person("anna").templates == 3


def test_refusals_are_remembered(gallery: Gallery, folder: Path) -> None:
    picture(folder / "dora" / "1.jpg", "no face here")
    picture(folder / "dora" / "same.jpg", "no face here")
    (folder / "empty").mkdir()
    report, seen = run(gallery, folder)
    wanted = tuple(
        RefusedPicture(path, "no face was found", True) for path in ("dora/1.jpg", "dora/same.jpg")
    )
    assert (report.refused, report.without_picture, len(seen)) == (wanted, ("dora", "empty"), 7)
    (folder / "dora" / "same.jpg").rename(folder / "dora" / "moved.jpg")
    report, seen = run(gallery, folder)
    assert seen == [] and report.without_picture == ("dora", "empty")
    assert report.refused == (
        RefusedPicture("dora/1.jpg", "no face was found", False),
        RefusedPicture("dora/moved.jpg", "no face was found", True),
    )
    assert run(gallery, folder, detector="scrfd")[1] == ["1.jpg"]  # another detector may see more
    assert run(gallery, folder, detector="scrfd")[1] == []
    picture(folder / "dora" / "1.jpg", "a face now")
    report, seen = run(gallery, folder, detector="scrfd")
    assert (seen, report.changed, "dora" in report.people) == (["1.jpg"], 1, True)


def test_a_refusal_that_does_not_last_is_tried_again(gallery: Gallery, folder: Path) -> None:
    picture(folder / "dora" / "1.jpg", "dora")
    shutil.copy(folder / "dora" / "1.jpg", folder / "dora" / "copy.jpg")

    def refusing(paths: Sequence[Path]) -> Iterator[tuple[Path, Outcome]]:
        for path, outcome in Embedder()(paths):
            yield path, Refusal("may not be read", lasting=False) if "dora" in str(path) else outcome

    for embedded in (8, 2):  # both files, each time
        report = sync_folder(gallery, folder, refusing)
        assert [(one.path, one.new) for one in report.refused] == [
            ("dora/1.jpg", True),
            ("dora/copy.jpg", True),
        ]
        assert report.embedded == embedded
    report, seen = run(gallery, folder)
    assert (seen, report.refused, report.added, report.copies) == (["1.jpg"], (), 1, 1)


def test_notes_about_what_was_taken(gallery: Gallery, folder: Path) -> None:
    def noting(paths: Sequence[Path]) -> Iterator[tuple[Path, Outcome]]:
        for path, outcome in Embedder()(paths):
            assert isinstance(outcome, NewTemplate)
            faces, turns = {"2.jpg": (3, 0), "3.jpg": (2, 1)}.get(path.name, (1, 0))
            yield (
                path,
                replace(outcome, facts=replace(outcome.facts, faces_in_picture=faces, quarter_turns=turns)),
            )

    report = sync_folder(gallery, folder, noting)
    assert [(note.path, note.faces, note.quarter_turns) for note in report.notes] == [
        ("anna/2.jpg", 3, 0),
        ("anna/3.jpg", 2, 1),
        ("bob/2.jpg", 3, 0),
        ("bob/3.jpg", 2, 1),
    ]
    assert str(report.notes[1]) == (
        "anna/3.jpg: 2 faces, the clearly largest one was taken; the face was found after 1 quarter turn(s)"
    )
    assert run(gallery, folder)[0].notes == ()


def test_a_changed_picture_that_is_refused_takes_nothing_away(gallery: Gallery, folder: Path) -> None:
    run(gallery, folder)
    picture(folder / "anna" / "1.jpg", "no face, half copied")
    report, _ = run(gallery, folder)
    assert report.vanished == ("anna/1.jpg",) and gallery.person("anna").templates == 3
    picture(folder / "anna" / "1.jpg", "anna 1")
    report, seen = run(gallery, folder)
    assert (seen, report.vanished, report.refused, report.unchanged) == ([], (), (), 6)


def test_removed_from_the_gallery_comes_back_from_the_folder(gallery: Gallery, folder: Path) -> None:
    run(gallery, folder)
    gallery.remove("anna")
    report, seen = run(gallery, folder)
    assert (report.added, len(seen)) == (3, 3)


def test_a_person_renamed_in_the_gallery_stays_so(gallery: Gallery, folder: Path) -> None:
    run(gallery, folder)
    gallery.rename("anna", "Anna Schmidt")
    picture(folder / "anna" / "4.jpg", "anna 4")
    report, seen = run(gallery, folder)
    assert (seen, report.people) == (["4.jpg"], ("Anna Schmidt", "bob"))
    assert gallery.person("Anna Schmidt").templates == 4
    gallery.merge("bob", "Anna Schmidt")
    picture(folder / "anna" / "5.jpg", "anna 5")
    run(gallery, folder)
    assert held(gallery).keys() == {"bob"}


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX only")
def test_odd_names(gallery: Gallery, folder: Path) -> None:
    picture(folder / "two\nlines" / "1.jpg", "odd 1")
    undecodable = os.fsdecode(os.fsencode(folder) + b"/bad\xff")
    picture(Path(undecodable) / "1.jpg", "odd 2")
    picture(folder / "anna" / os.fsdecode(b"\xff.jpg"), "odd 3")
    picture(folder / "王小明 ' \" %" / "1.jpg", "odd 4")
    report, _ = run(gallery, folder)
    assert (report.added, report.people) == (9, ("anna", "bad\\udcff", "bob", "王小明 ' \" %"))
    ((path, reason),) = [(refused.path, refused.reason) for refused in report.refused]
    assert path == "two\nlines/1.jpg" and "U+000A" in reason
    assert "anna/\\udcff.jpg" in held(gallery)["anna"]
    assert run(gallery, folder)[1] == []


def test_an_unreadable_picture_is_not_taken_for_vanished(gallery: Gallery, folder: Path) -> None:
    run(gallery, folder)
    (folder / "anna" / "1.jpg").unlink()
    (folder / "anna" / "1.jpg").symlink_to(
        folder / "anna" / "1.jpg"
    )  # a loop: cannot be opened, even by root
    report, _ = run(gallery, folder, prune=True)
    assert gallery.person("anna").templates == 3 and report.vanished == ()


def break_off(folder: Path, how: str) -> None:
    """Make a folder one that is gone, or one of which nothing can be said."""
    moved = folder.rename(folder.with_name(f"{folder.name} moved"))
    match how:
        case "moved":
            pass
        case "a file":
            folder.write_bytes(moved.name.encode())
        case "a loop":  # what is below cannot be asked, as on a drive that fails; even by root
            folder.symlink_to(folder)


@pytest.mark.parametrize(("how", "gone"), [("moved", True), ("a file", True), ("a loop", False)])
def test_what_cannot_be_asked_is_not_gone(gallery: Gallery, folder: Path, how: str, gone: bool) -> None:
    """Anna's folder breaks off; no listing is asked, only the disk."""
    run(gallery, folder)
    root = str(folder.resolve())
    with gallery.database.reading() as connection:
        rows = folder_rows.rows_of(connection, root)
    assert not any(content_is_gone(folder, row) for row in rows)
    break_off(folder / "anna", how)
    assert {row.path for row in rows if content_is_gone(folder, row)} == (
        {f"anna/{number}.jpg" for number in (1, 2, 3)} if gone else set()
    )
    assert folder_is_gone(str(folder / "anna" / "deeper")) is gone and not folder_is_gone(root)


def test_a_drive_that_fails_takes_nobody_away(
    gallery: Gallery, folder: Path, origin: VectorOrigin, tmp_path: Path
) -> None:
    """Pictures are pruned from the other gallery of a folder only when they are gone, not when they cannot be read."""
    run(gallery, folder)
    with Gallery.open(tmp_path / "like.db", origin, create=True) as like:
        loop = folder / "anna"
        break_off(loop, "a loop")
        assert drop_vanished(gallery, folder, like) == 0
        assert len(held(gallery)["anna"]) == 3
        loop.unlink()
        assert drop_vanished(gallery, folder, like) == 3
        assert list(held(gallery)) == ["bob"]


def test_an_empty_folder_prunes_nobody(gallery: Gallery, folder: Path) -> None:
    """A drive that is not mounted looks like an empty folder."""
    run(gallery, folder)
    before = held(gallery)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with pytest.raises(UsageError, match="nothing was removed"):
        run(gallery, folder, prune=True)
    assert held(gallery) == before != {}
    with pytest.raises(UsageError, match="are meant to go, do this"):
        sync_folder(gallery, folder, Embedder(), prune=True, if_all_are_meant="do this")


def test_no_folder(gallery: Gallery, folder: Path) -> None:
    for wrong in (folder / "missing", folder / "anna" / "1.jpg"):
        with pytest.raises(UsageError, match="no such folder"):
            sync_folder(gallery, wrong, Embedder(), prune=True)


def test_what_was_committed_stays_when_embedding_fails(gallery: Gallery, tmp_path: Path) -> None:
    for number in range(80):
        picture(tmp_path / "many" / "x" / f"{number}.jpg", str(number))
    embed, told = Embedder(), list[FolderProgress]()

    def failing(paths: Sequence[Path]) -> Iterator[tuple[Path, Outcome]]:
        if len(embed.seen) >= 64:
            raise RuntimeError("out of memory")
        return embed(paths)

    with pytest.raises(RuntimeError, match="out of memory"):
        sync_folder(gallery, tmp_path / "many", failing, progress=told.append)
    assert gallery.person("x").templates == 64
    assert {path for step in told for path in step.kept} == set(held(gallery)["x"])
    assert (told[-1].done, told[-1].total) == (64, 80)
    told.clear()
    report = sync_folder(gallery, tmp_path / "many", Embedder(), progress=told.append)
    assert (report.added, report.unchanged) == (16, 64)
    assert [step.done for step in told] == sorted(step.done for step in told)
    assert (told[-1].done, told[-1].total) == (80, 80)


def test_progress_counts_each_picture_once_also_where_one_changes_meanwhile(
    gallery: Gallery, tmp_path: Path
) -> None:
    twins = [picture(tmp_path / "people" / "x" / f"{k}.jpg", "the same") for k in range(3)]
    embed, told = Embedder(), list[FolderProgress]()

    def changing(paths: Sequence[Path]) -> Iterator[tuple[Path, Outcome]]:
        if not embed.seen:
            picture(paths[0], "changed since it was hashed")
        return embed(paths)

    sync_folder(gallery, tmp_path / "people", changing, progress=told.append)
    assert gallery.person("x").templates == 2 and len(embed.seen) == 2
    assert [(step.done, step.total) for step in told][-2:] == [(1, len(twins)), (len(twins), len(twins))]


def test_a_callback_that_forgets_or_invents_is_an_error(gallery: Gallery, folder: Path) -> None:
    with pytest.raises(ValueError, match="gave nothing for 6 of 6"):
        sync_folder(gallery, folder, lambda _: [])
    with pytest.raises(ValueError, match="not asked for"):
        sync_folder(gallery, folder, lambda _: [(Path("x"), Refusal("x"))])


RUNNER = """
import hashlib, os, sys
from pathlib import Path
import numpy as np
from multiface.gallery import folder_import
from multiface.gallery.contents import NewTemplate, PictureFacts, VectorOrigin
from multiface.gallery.gallery import Gallery

folder_import.BATCH = 4

def embed(paths):
    for path in paths:
        digest = hashlib.sha256(path.read_bytes())
        vector = np.frombuffer(digest.digest() * 4, np.uint8).astype(np.float32) - 127.5
        facts = PictureFacts(640, 480, (10, 10, 60, 70), 0.9, "mtcnn", 0, 1)
        yield path, NewTemplate(vector / np.linalg.norm(vector), digest.hexdigest(), str(path), facts)

def tell(step):
    for path in step.kept:
        sys.stdout.write(f"done {path}\\n")
    sys.stdout.flush()

for line in sys.stdin:  # a gallery and a folder; a fork for each, so that Python starts only once
    gallery_path, folder = line.split()
    child = os.fork()
    if child == 0:
        sys.stdout.write(f"start {os.getpid()}\\n")
        sys.stdout.flush()
        origin = VectorOrigin("ab" * 32, "dlib", "mtcnn", 128)
        with Gallery.open(gallery_path, origin, create=True) as gallery:
            folder_import.sync_folder(gallery, Path(folder), embed, progress=tell)
        sys.stdout.write("end\\n")
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
    sys.stdout.write("gone\\n")
    sys.stdout.flush()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_killed_at_a_hundred_moments(tmp_path: Path, origin: VectorOrigin) -> None:
    """Each run begins a gallery or goes on with one that was cut off before, and is killed by SIGKILL."""
    folder = tmp_path / "people"
    for number in range(24):
        picture(folder / f"p{number % 6}" / f"{number}.jpg", str(number))
    rng = random.Random(11)
    path, reported = tmp_path / "0.db", set[str]()
    cut_off = cut_off_halfway = 0
    longest = 0.02
    server = subprocess.Popen(
        [sys.executable, "-c", RUNNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    with server:
        assert server.stdin is not None and server.stdout is not None
        for kill in range(100):
            server.stdin.write(f"{path} {folder}\n")
            server.stdin.flush()
            started = server.stdout.readline().split()
            time.sleep(rng.uniform(0, longest))
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(started[1]), signal.SIGKILL)
            lines: list[str] = []
            while not lines or not lines[-1].endswith("gone\n"):  # a line may be cut off before it
                lines.append(server.stdout.readline())
            done = {line[5:-1] for line in lines if line.startswith("done ") and "gone" not in line}
            reported |= done
            if "end\n" in lines:
                longest *= 0.9
            else:
                longest *= 1.05
                cut_off += 1
                cut_off_halfway += bool(done)
            with Gallery.open(path, origin, create=True) as gallery:
                check = gallery.check()
                assert check.problems == () and check.people_without_templates == ()
                stored = {t.source for person in gallery.people() for t in gallery.templates(person.name)}
                assert reported <= stored
                if len(stored) == 24 or rng.random() < 0.3:
                    report, _ = run(gallery, folder)
                    assert report.unchanged == len(stored) and report.added == 24 - len(stored)
                    path, reported = tmp_path / f"{kill + 1}.db", set()
        server.stdin.close()
    assert cut_off >= 50 and cut_off_halfway >= 10
