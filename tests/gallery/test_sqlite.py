"""The file: creation, upgrade, foreign and damaged files, locks, permissions, descriptors, real removal."""

import os
import random
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from multiface.errors import FingerprintMismatch, GalleryError, UsageError
from multiface.gallery import schema
from multiface.gallery.connection import gallery_path
from multiface.gallery.contents import NewTemplate, VectorOrigin
from multiface.gallery.gallery import Gallery
from multiface.gallery.sqlite import SqliteGallery


def fill(path: Path, origin: VectorOrigin, template: Callable[..., NewTemplate], people: int = 3) -> None:
    with Gallery.open(path, origin, create=True) as gallery:
        for number in range(people):
            gallery.add_templates(f"p{number}", [template(f"p{number}-{picture}") for picture in range(3)])


def test_settings_of_the_file(path: Path, origin: VectorOrigin) -> None:
    engine = SqliteGallery.open(path, origin, create=True)
    with closing(engine), engine.database.reading() as connection:
        found = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in (
                "journal_mode",
                "synchronous",
                "foreign_keys",
                "secure_delete",
                "trusted_schema",
                "application_id",
            )
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "trusted_schema": 0,
        "application_id": 0x4D46676C,
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_stands_in_a_foreign_file_s_tables_calls_no_function(
    path: Path, origin: VectorOrigin, template: Callable[..., NewTemplate]
) -> None:
    """A view can call any function of the process that opens the file; here one that only notes the call."""
    fill(path, origin, template, people=1)
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("CREATE VIEW bait AS SELECT tell('read')")
    told: list[str] = []
    for engine in (SqliteGallery.open(path, origin), SqliteGallery.open(path, origin, create=True)):
        with closing(engine), engine.database.reading() as connection:
            connection.create_function("tell", 1, told.append)
            connection.execute("SELECT tell('asked')").fetchall()
            with pytest.raises(sqlite3.OperationalError, match=r"unsafe use of tell\(\)"):
                connection.execute("SELECT * FROM bait").fetchall()
    assert told == ["asked", "asked"]


@pytest.mark.skipif(os.name == "nt", reason="modes as POSIX has them")
def test_an_empty_file_that_all_may_read_becomes_private(path: Path, origin: VectorOrigin) -> None:
    """Somebody may have put it where the gallery was to be made."""
    path.touch()
    path.chmod(0o666)
    with Gallery.open(path, origin, create=True) as gallery:
        gallery.people()
        for made in path.parent.glob(f"{path.name}*"):
            assert stat.S_IMODE(made.stat().st_mode) == 0o600, made


def test_origin_is_kept_and_guards(path: Path, origin: VectorOrigin) -> None:
    SqliteGallery.open(path, origin, create=True).close()
    with Gallery.open(path) as gallery:
        assert gallery.origin == origin
    with Gallery.open(path, replace(origin, detector="scrfd_2.5g")) as gallery:
        assert gallery.origin == origin
    other = VectorOrigin("cd" * 32, "mobilefacenet", "mtcnn", 512)
    for create in (False, True):
        with pytest.raises(FingerprintMismatch, match=r"dlib-resnet.*mobilefacenet.*--weights dlib-resnet"):
            Gallery.open(path, other, create=create)


def test_a_gallery_of_the_former_default_says_how_to_go_on(path: Path, origin: VectorOrigin) -> None:
    SqliteGallery.open(path, replace(origin, weights="dlib"), create=True).close()
    with pytest.raises(
        FingerprintMismatch, match=r"no longer part of MultiFace.*facebank FOLDER --gallery NEW"
    ):
        Gallery.open(path, VectorOrigin("cd" * 32, "sface", "yunet_onet", 128, False))


def test_vectors_with_and_without_mirror_images_never_meet(path: Path, origin: VectorOrigin) -> None:
    for flip, advice in ((True, "use --flip"), (False, "use --no-flip")):
        file = path.with_name(f"{flip}.db")
        Gallery.open(file, replace(origin, flip=flip), create=True).close()
        with Gallery.open(file) as gallery:
            assert gallery.origin.flip is flip
        Gallery.open(file, replace(origin, flip=flip), create=True).close()
        for create in (False, True):
            with pytest.raises(FingerprintMismatch, match=advice):
                Gallery.open(file, replace(origin, flip=not flip), create=create)


def test_a_change_that_does_not_fit_is_not_called_damage(path: Path, origin: VectorOrigin) -> None:
    with Gallery.open(path, origin, create=True) as gallery:
        with (
            pytest.raises(GalleryError, match=r"does not fit.*FOREIGN KEY.*try again") as caught,
            gallery.database.writing() as connection,
        ):
            connection.execute("INSERT INTO folder_picture VALUES ('f', 'p', 'd', 1, 1, 'x', 9, 1, NULL, '')")
        assert "damaged" not in str(caught.value)
        assert gallery.check().problems == ()


def test_nothing_is_made_unasked(path: Path, origin: VectorOrigin) -> None:
    with pytest.raises(GalleryError, match="no such file"):
        Gallery.open(path, origin)
    assert not path.exists()
    path.touch()
    with pytest.raises(GalleryError, match="empty"):
        Gallery.open(path, origin)
    assert path.stat().st_size == 0
    Gallery.open(path, origin, create=True).close()  # an empty file is what a killed creation leaves


def test_locations(tmp_path: Path, origin: VectorOrigin) -> None:
    assert gallery_path("people.db") == Path("people.db")
    assert gallery_path("sqlite:///people.db") == Path("people.db")
    assert gallery_path(f"sqlite:///{tmp_path}/a b%20.db") == tmp_path / "a b%20.db"
    Gallery.open(f"sqlite:///{tmp_path}/ä #?%41.db", origin, create=True).close()
    assert (tmp_path / "ä #?%41.db").stat().st_size > 0
    for wrong in ("mysql://host/db", "sqlite://people.db", "sqlite:///", ""):
        with pytest.raises(UsageError, match="gallery"):
            Gallery.open(wrong)


def make_version_1(path: Path, origin: VectorOrigin) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        schema.take_step(connection, 1)
        connection.execute(
            "INSERT INTO origin VALUES (1, ?, ?, ?, ?, 'then')",
            (origin.fingerprint, origin.weights, origin.detector, origin.dimension),
        )
        connection.execute("INSERT INTO person (name, created) VALUES ('Anna', '2024-01-01T00:00:00+00:00')")
        vector = np.eye(1, origin.dimension, dtype="<f4").tobytes()
        connection.execute(
            "INSERT INTO template VALUES (7, 1, ?, ?, 'a.jpg', 1, 1, 0, 0, 1, 1, 0.5, 'mtcnn', 0, 1, 'then')",
            (vector, "0" * 64),
        )
        connection.execute("COMMIT")


def test_version_1_is_upgraded_with_its_content(path: Path, origin: VectorOrigin) -> None:
    make_version_1(path, origin)
    with Gallery.open(path, origin) as gallery:
        assert [(person.name, person.templates) for person in gallery.people()] == [("Anna", 1)]
        assert gallery.origin == origin and origin.flip  # such a gallery did not say; the default was made
        assert gallery.templates("Anna")[0].vector.tolist() == [1] + [0] * (origin.dimension - 1)
        assert gallery.check().problems == ()
        with gallery.database.reading() as connection:
            assert schema.version(connection) == schema.VERSION
            upgraded = connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
    new = path.with_name("new.db")
    engine = SqliteGallery.open(new, origin, create=True)
    with closing(engine), engine.database.reading() as connection:
        assert connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall() == upgraded


def test_switching_to_the_log_waits_for_a_writer(path: Path, origin: VectorOrigin) -> None:
    make_version_1(path, origin)  # in rollback mode, where SQLite itself would give up at once
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, other.execute, ("ROLLBACK",))
        timer.start()
        with Gallery.open(path, origin) as gallery:
            assert len(gallery.people()) == 1
        timer.join()
        with closing(sqlite3.connect(path)) as again:
            assert again.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_failing_step_leaves_no_trace(
    path: Path, origin: VectorOrigin, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_version_1(path, origin)
    half = (schema.STEPS[0], ("CREATE TABLE half (a)", "CREATE TABLE half (a)"))
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", half)
        with pytest.raises(GalleryError):
            Gallery.open(path, origin)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchone() is None
    Gallery.open(path, origin).close()


def test_a_newer_version_is_refused(path: Path, origin: VectorOrigin) -> None:
    SqliteGallery.open(path, origin, create=True).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(GalleryError, match="newer MultiFace"):
        Gallery.open(path, origin, create=True)


def test_an_empty_database_of_another_program_is_refused(path: Path, origin: VectorOrigin) -> None:
    """It has no table yet, but a version of its own."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 3")
    with pytest.raises(GalleryError, match="another program"):
        Gallery.open(path, origin, create=True)


def test_a_foreign_database_is_refused_and_untouched(path: Path, origin: VectorOrigin) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    for create in (False, True):
        with pytest.raises(GalleryError, match="another program"):
            Gallery.open(path, origin, create=create)
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name]


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xe0 a picture" * 100, b"x", b"SQLite format 3\x00garbage" * 99]
)
def test_no_database_is_refused_and_untouched(path: Path, origin: VectorOrigin, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(GalleryError, match=r"not a gallery|damaged"):
        Gallery.open(path, origin, create=True)
    assert path.read_bytes() == content


def test_wrong_places(tmp_path: Path, origin: VectorOrigin) -> None:
    with pytest.raises(GalleryError, match="it is a folder"):
        Gallery.open(tmp_path, origin, create=True)
    with pytest.raises(GalleryError, match="no folder"):
        Gallery.open(tmp_path / "missing" / "gallery.db", origin, create=True)
    with pytest.raises(UsageError, match="null"):
        Gallery.open("a\0b", origin, create=True)
    with pytest.raises(GalleryError, match="too long"):
        Gallery.open(tmp_path / ("x" * 300), origin, create=True)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(GalleryError, match="regular file"):
        Gallery.open(tmp_path / "pipe", origin, create=True)


OPEN_AS_ANOTHER = """
import os, sys
from multiface.gallery.gallery import Gallery
from multiface.errors import GalleryError
if os.geteuid() == 0:  # nothing is forbidden to root
    os.setgid(65534)
    os.setuid(65534)
try:
    with Gallery.open(sys.argv[1]) as gallery:
        sys.stdout.write(" ".join(person.name for person in gallery.people()) + f" {len(gallery.matrix().vectors)}; ")
        gallery.remove("p0")
except GalleryError as error:
    sys.stdout.write(f"{error} {type(error).__name__}")
"""


@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "words"),
    [
        (0o444, 0o777, "p0 p1 p2 9; gallery .*cannot be written.* GalleryReadOnly$"),
        (0o666, 0o555, "p0 p1 p2 9; gallery .*cannot be written.* GalleryReadOnly$"),
        (0o444, 0o555, "p0 p1 p2 9; gallery .*cannot be written.* GalleryReadOnly$"),
        (0o000, 0o777, "no permission to read it; change its permissions"),
    ],
)
@pytest.mark.parametrize("writer", [False, True])
def test_permissions(
    origin: VectorOrigin,
    template: Callable[..., NewTemplate],
    file_mode: int,
    folder_mode: int,
    words: str,
    writer: bool,
) -> None:
    """Who may read a gallery can search it, also while another process has it open and its log lies beside it."""
    with tempfile.TemporaryDirectory() as name:  # pytest's folders cannot be entered by another user
        folder = Path(name)
        fill(folder / "gallery.db", origin, template)
        with ExitStack() as stack:
            if writer:
                opened = stack.enter_context(Gallery.open(folder / "gallery.db", origin))
                opened.add_templates("p2", [template("last")])
            for file in folder.glob("gallery.db*"):
                file.chmod(file_mode)
            folder.chmod(folder_mode)
            command = [sys.executable, "-c", OPEN_AS_ANOTHER, str(folder / "gallery.db")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            folder.chmod(0o700)
    assert done.stderr == ""
    assert re.search(words.replace("9;", "10;" if writer else "9;"), done.stdout)


@pytest.mark.skipif(os.name == "nt", reason="modes as POSIX has them")
def test_a_reader_without_permission_to_write_follows_changes(
    path: Path, origin: VectorOrigin, template: Callable[..., NewTemplate], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write anything, so what the file system says is replaced for the opening."""
    fill(path, origin, template)
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda _path, mode, **_: not mode & os.W_OK)
        reader = Gallery.open(path)
    with reader:
        before = reader.matrix()
        with Gallery.open(path, origin) as writer:
            writer.add_templates("p9", [template("new")])
            assert len(reader.matrix().vectors) == len(before.vectors) + 1  # from the log
        assert len(reader.matrix().vectors) == len(before.vectors) + 1  # from the file
        with Gallery.open(path, origin) as writer:
            writer.remove("p9")
        assert len(reader.matrix().vectors) == len(before.vectors)
        with pytest.raises(GalleryError, match="cannot be written"):
            reader.remove("p0")


def test_locked(path: Path, origin: VectorOrigin, template: Callable[..., NewTemplate]) -> None:
    fill(path, origin, template)
    with (
        Gallery.open(path, origin, busy_seconds=0.2) as gallery,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        assert len(gallery.people()) == 3  # reading goes on
        with pytest.raises(GalleryError, match=r"locked for 0\.2 seconds"):
            gallery.add_templates("p9", [template("late")])
        other.execute("ROLLBACK")
        assert gallery.add_templates("p9", [template("late")]).added == 1


def test_truncated(path: Path, origin: VectorOrigin, template: Callable[..., NewTemplate]) -> None:
    fill(path, origin, template, 20)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GalleryError, match=r"damaged.*left as it is"):
        Gallery.open(path, origin)
    assert path.read_bytes() == whole[: len(whole) // 2]


def test_damage_anywhere_is_a_gallery_error(
    path: Path, origin: VectorOrigin, template: Callable[..., NewTemplate]
) -> None:
    fill(path, origin, template, 60)  # so that most pages hold something
    whole = path.read_bytes()
    rng = random.Random(5)
    noticed = 0
    for _ in range(150):
        spoilt = bytearray(whole)
        at = rng.randrange(16, len(whole))
        length = rng.choice([1, 40, 4096])
        spoilt[at : at + length] = rng.randbytes(len(spoilt[at : at + length]))
        path.write_bytes(spoilt)
        try:
            with Gallery.open(path, origin) as gallery:
                noticed += bool(gallery.check().problems)
                gallery.people()
                gallery.matrix()
                for person in gallery.people():
                    gallery.templates(person.name)
        except (GalleryError, UsageError):
            noticed += 1
        assert path.stat().st_size > 0
        for beside in path.parent.glob(f"{path.name}-*"):
            beside.unlink()
    assert noticed > 75


def test_opening_and_closing_leaks_no_descriptor(path: Path, origin: VectorOrigin) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("counts descriptors in /proc")
    SqliteGallery.open(path, origin, create=True).close()
    other = replace(origin, fingerprint="f" * 64)
    foreign = path.with_name("foreign.db")
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE a (b)")
    before = len(list(descriptors.iterdir()))
    for _ in range(30):
        Gallery.open(path, origin).close()
        with pytest.raises(FingerprintMismatch):
            Gallery.open(path, other)
        with pytest.raises(GalleryError):
            Gallery.open(foreign, other)
    assert len(list(descriptors.iterdir())) == before


def test_closed(path: Path, origin: VectorOrigin) -> None:
    gallery = Gallery.open(path, origin, create=True)
    gallery.close()
    gallery.close()
    with pytest.raises(GalleryError, match="closed"):
        gallery.people()


@pytest.mark.parametrize("dimension", [32, 128, 512, 2048])  # several rows a page, one, and overflow pages
def test_removed_vectors_and_names_are_in_no_file(
    path: Path, origin: VectorOrigin, template: Callable[..., NewTemplate], dimension: int
) -> None:
    origin = replace(origin, dimension=dimension)
    rng = np.random.default_rng(dimension)
    base = template("x")
    pieces: dict[str, list[bytes]] = {}

    def files() -> bytes:
        return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))

    with Gallery.open(path, origin, create=True) as gallery:
        for turn in range(90):
            name = f"somebody-{turn % 30:02d}"
            vector = rng.normal(size=dimension).astype(np.float32)
            vector /= np.linalg.norm(vector)
            gallery.add_templates(
                name, [replace(base, vector=vector, source_digest=f"{turn:064x}", source=f"{name}-{turn}")]
            )
            pieces.setdefault(name, []).append(vector.tobytes())
        gone = [f"somebody-{number:02d}" for number in rng.permutation(30)[:15]]
        for name in gone:
            removed = gallery.remove(name)
            assert removed.templates == 3 and removed.purged
        content = files()  # while still open, log included
        for name, vectors in pieces.items():
            found = [blob[at : at + 32] in content for blob in vectors for at in range(0, len(blob) - 31, 32)]
            assert not any(found) if name in gone else any(found)
            if name in gone:
                assert name.encode() not in content
        assert gallery.check().problems == ()
