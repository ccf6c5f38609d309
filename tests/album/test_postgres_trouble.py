"""Scans into PostgreSQL while its server goes away and comes back, and while its disk is full: nothing that was
acknowledged is lost, and the next scan makes the album that a scan without trouble makes. Drawn faces.
"""

import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from multiface import Album, Recognizer, RecognizerSettings
from multiface.album import scanning
from multiface.errors import GalleryError
from tests.album.test_scanning import save, stretched, with_a_beard
from tests.drawn_faces import drawn_face, group_of, save_people
from tests.gallery.postgres_server import Server, running

Answers = list[tuple[str, list[tuple[str | None, bool]]]]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People to know, and 20 photos of them and others."""
    folder = tmp_path_factory.mktemp("pictures")
    save_people(folder / "people", {"ada": 2, "bob": 2})
    for take in range(5):
        cleo = (stretched("cleo"), with_a_beard("cleo"), *(drawn_face("cleo", k) for k in range(3)))[take]
        people = {"ada": drawn_face("ada", take), "bob": drawn_face("bob", take), "cleo": cleo}
        for name, picture in people.items():
            save(folder / "photos" / name / f"{take}.jpg", picture, f"20{take:02}:05:01 10:00:00")
        both = group_of(drawn_face("ada", take + 5), drawn_face("cleo", take + 5))
        save(folder / "photos" / f"both{take}.jpg", both, f"20{take + 10}:01:01 10:00:00")
    return folder


@contextmanager
def album_in(place: str | Path, pictures: Path) -> Iterator[Album]:
    settings = RecognizerSettings(threads=2, rate=0.001)
    with Recognizer(gallery=place, create=True, settings=settings) as recognizer:
        recognizer.sync(pictures / "people")
        yield Album(recognizer)


@pytest.fixture(scope="module")
def undisturbed(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Answers, list[list[str]]]:
    with album_in(tmp_path_factory.mktemp("gallery") / "g.sqlite", pictures) as album:
        album.scan([pictures / "photos"])
        found = answers(album), groups(album)
    assert len(found[0]) == 20 and len(found[1]) == 1
    return found


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_BATCH", 3)


def answers(album: Album) -> Answers:
    return sorted((hit.paths[0], [(face.name, face.by_hand) for face in hit.faces]) for hit in album.find())


def groups(album: Album) -> list[list[str]]:
    shown = [album.pictures_of([face.id for face in one.faces]) for one in album.groups()]
    return [sorted(hit.paths[0] for hit in hits) for hits in shown]


def sound(album: Album, kept: Answers) -> Answers:
    """What is in the album now, once what was there before is there still."""
    now = answers(album)
    paths = {path: len(faces) for path, faces in now}
    assert {path: len(faces) for path, faces in kept}.items() <= paths.items()
    assert album._gallery.check().problems == ()
    return now


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_server_that_goes_away_during_a_scan(
    how: str, server: Server, pictures: Path, undisturbed: tuple[Answers, list[list[str]]]
) -> None:
    with album_in(server.new_database("mine"), pictures) as album:
        kept: Answers = []
        for at in (2, 8, 5):
            seen: list[int] = []

            def told(done: int, _total: int | None, at: int = at, seen: list[int] = seen) -> None:
                if done == at and not seen:
                    seen.append(done)
                    server.stop(how)

            with pytest.raises(GalleryError, match="cannot be reached or went away"):
                album.scan([pictures / "photos"], progress=told)
            server.start()
            before, kept = len(kept), sound(album, kept)
            assert len(kept) >= before + at - at % 3
        report = album.scan([pictures / "photos"])
        assert report.searched == 20 - len(kept) and report.left_out == ()
        assert (answers(album), groups(album)) == undisturbed


def test_a_server_that_goes_away_at_random_moments(
    server: Server, pictures: Path, undisturbed: tuple[Answers, list[list[str]]]
) -> None:
    """Also within a transaction; each scan searches and writes everything anew."""
    random_ = random.Random(3)
    with album_in(server.new_database("mine"), pictures) as album:
        album.scan([pictures / "photos"])
        (hit,) = [hit for hit in album.find() if Path(hit.paths[0]).name == "both0.jpg"]
        said = next(face.id for face in hit.faces if face.name is None)
        album.ignore(faces=[said])
        kept, cut = answers(album), 0
        for _ in range(6):

            def away(after: float = random_.uniform(0.02, 1.5)) -> None:
                time.sleep(after)
                server.stop("immediate")
                server.start()

            trouble = threading.Thread(target=away)
            trouble.start()
            try:
                album.scan([pictures / "photos"], again=True)
            except GalleryError:
                cut += 1
            finally:
                trouble.join()
            assert sound(album, kept) == kept
        assert cut
        album.ignore(faces=[said], ignored=False)
        album.scan([pictures / "photos"], again=True)
        assert (answers(album), groups(album)) == undisturbed


@pytest.fixture
def small_disk(server: Server) -> Iterator[Path]:
    """A disk of 16 MB, which the server may write."""
    place = server.folder / "small"
    place.mkdir()
    mounted = (
        sys.platform == "linux"
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)], check=False, capture_output=True
        ).returncode
    )
    if not mounted:
        pytest.skip("needs the right to mount a small disk")
    try:
        (place / "space").mkdir()
        if server.user is not None:
            shutil.chown(place / "space", server.user)
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # the server is stopped after this


def test_a_full_disk_of_the_server(
    server: Server, small_disk: Path, pictures: Path, undisturbed: tuple[Answers, list[list[str]]]
) -> None:
    import psycopg

    url = server.new_database("mine")
    with psycopg.connect(url.replace("/mine", "/postgres"), autocommit=True) as other:
        other.execute(f"CREATE TABLESPACE small LOCATION '{small_disk / 'space'}'")
        other.execute("ALTER DATABASE mine SET TABLESPACE small")
    with album_in(url, pictures) as album:
        kept: Answers = []
        full = 0
        for spare in (0, 1, 3, 8, 16):  # pages of 8 kB
            (small_disk / "filler").unlink(missing_ok=True)
            free = shutil.disk_usage(small_disk).free - 8192 * spare
            (small_disk / "filler").write_bytes(bytes(max(0, free)))
            try:
                album.scan([pictures / "photos"])
                break
            except GalleryError as error:
                assert "disk is full" in str(error)
                full += 1
            (small_disk / "filler").unlink()
            kept = sound(album, kept)
        (small_disk / "filler").unlink(missing_ok=True)
        assert full >= 2
        report = album.scan([pictures / "photos"])
        assert report.searched <= 20 - len(kept)
        assert (answers(album), groups(album)) == undisturbed
