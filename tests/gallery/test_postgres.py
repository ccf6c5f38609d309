"""What is PostgreSQL's own: creation, several writers, a server that goes away, messages.

The rest of this folder's tests runs on both engines.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from multiface.errors import ExtraMissing, FingerprintMismatch, GalleryError, UsageError
from multiface.gallery import postgres_schema
from multiface.gallery.contents import Crop, NewTemplate, VectorOrigin
from multiface.gallery.gallery import Gallery
from tests.gallery.postgres_server import Server, running

Make = Callable[..., NewTemplate]


@pytest.fixture
def gallery(new_database: str, origin: VectorOrigin) -> Iterator[Gallery]:
    with Gallery.open(new_database, origin, create=True) as opened:
        yield opened


def test_nothing_is_made_unasked(new_database: str, origin: VectorOrigin) -> None:
    with pytest.raises(GalleryError, match="no gallery in this database"):
        Gallery.open(new_database, origin)
    Gallery.open(new_database, origin, create=True).close()
    with Gallery.open(new_database) as gallery:
        assert gallery.origin == origin
        assert gallery.location == new_database and gallery.is_there()
        with pytest.raises(UsageError, match="is no file"):
            assert gallery.path
    for create in (False, True):
        with pytest.raises(FingerprintMismatch):
            Gallery.open(new_database, VectorOrigin("cd" * 32, "sface", "yunet", 128), create=create)


def test_sqlalchemy_s_name_of_the_driver_may_be_in_the_address(gallery: Gallery) -> None:
    with Gallery.open(gallery.location.replace("postgresql:", "postgresql+psycopg:", 1)) as again:
        assert again.origin == gallery.origin


def test_a_newer_version_is_refused(gallery: Gallery) -> None:
    with gallery.database.writing() as connection:
        connection.execute("UPDATE version SET step = ?", (postgres_schema.VERSION + 1,))
    with pytest.raises(GalleryError, match="newer MultiFace"):
        Gallery.open(gallery.location)


def test_a_database_of_the_first_step_is_brought_up_to_date(
    new_database: str, origin: VectorOrigin, template: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(postgres_schema, "STEPS", postgres_schema.STEPS[:1])
        patch.setattr(postgres_schema, "VERSION", 1)
        with Gallery.open(new_database, origin, create=True) as old:
            old.add_templates("Anna", [template("a")])
    with Gallery.open(new_database) as gallery:
        with gallery.database.reading() as connection:
            assert postgres_schema.version(connection) == postgres_schema.VERSION > 1
        assert [one.name for one in gallery.people()] == ["Anna"] and gallery.reembedding() is None
        gallery.add_templates("Anna", [replace(template("b"), crop=Crop(b"b"))])
        assert gallery.crop(gallery.templates("Anna")[1].id) == Crop(b"b")


def test_a_message_has_no_password(postgres_server: Server) -> None:
    wrong = f"postgresql://me:s3cret@/nowhere?host={postgres_server.folder}"
    with pytest.raises(GalleryError, match="cannot be reached") as caught:
        Gallery.open(wrong, busy_seconds=2)
    assert "s3cret" not in str(caught.value)


def test_without_psycopg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ExtraMissing, match=r"\[postgres\]") as caught:
        Gallery.open("postgresql://me:s3cret@host/db")
    assert "s3cret" not in str(caught.value)


def test_names_are_in_the_order_of_a_file(
    gallery: Gallery, tmp_path: Path, origin: VectorOrigin, template: Make
) -> None:
    """Byte by byte, whatever the server's language; and what looks like a placeholder or a quote is text."""
    names = ["Zoë", "anna", "Anna", "Ärger", "b?", "b%s", "it's", "王", "z", "_"]
    with Gallery.open(tmp_path / "file.db", origin, create=True) as file:
        for opened in (gallery, file):
            for number, name in enumerate(names):
                opened.add_templates(name, [template(str(number))])
        assert [one.name for one in gallery.people()] == [one.name for one in file.people()]
        assert gallery.matrix().vectors.tobytes() == file.matrix().vectors.tobytes()
        probes = np.stack([template(f"q{k}").vector for k in range(20)])
        mine, theirs = gallery.search(probes, "mean"), file.search(probes, "mean")
        assert [(one.name, one.similarity, one.runner_up) for one in mine] == [
            (one.name, one.similarity, one.runner_up) for one in theirs
        ]
    with pytest.raises(UsageError):
        gallery.rename("z", "a\0b")


def test_the_database_s_other_tables_are_left_alone(new_database: str, origin: VectorOrigin) -> None:
    import psycopg

    with psycopg.connect(new_database, autocommit=True) as other:
        other.execute("CREATE TABLE person (mine text)")
        other.execute("INSERT INTO person VALUES ('x')")
        Gallery.open(new_database, origin, create=True).close()
        assert other.execute("SELECT mine FROM public.person").fetchall() == [("x",)]


WRITER = """
import hashlib, sys
import numpy as np
from multiface.gallery.contents import NewTemplate, PictureFacts, VectorOrigin
from multiface.gallery.gallery import Gallery
url, who, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
facts = PictureFacts(1, 1, (0, 0, 1, 1), 1.0, "mtcnn", 0, 1)
with Gallery.open(url, VectorOrigin("ab" * 32, "dlib-resnet", "mtcnn", 128), create=True) as gallery:
    for number in range(count):
        vector = np.random.default_rng([ord(who[0]), number]).normal(size=128)
        vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        digest = hashlib.sha256(f"{who}{number}".encode()).hexdigest()
        gallery.add_templates(f"{who}{number % 7}", [NewTemplate(vector, digest, who, facts)])
        gallery.add_templates("everybody", [NewTemplate(vector, digest[::-1], who, facts)])
        print(number, flush=True)
"""


def test_processes_create_and_write_at_once_while_one_reads(new_database: str, origin: VectorOrigin) -> None:
    """Nobody who was written is ever missing from the matrix that follows the changes."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, new_database, who, "25"], stdout=subprocess.DEVNULL)
        for who in "abc"
    ]
    with Gallery.open(new_database, origin, create=True) as gallery:
        seen = 0
        while any(writer.poll() is None for writer in writers):
            matrix = gallery.matrix()
            assert len(matrix.vectors) >= seen
            seen = len(matrix.vectors)
            assert sum(person.templates for person in gallery.people()) >= seen
        assert [writer.returncode for writer in writers] == [0, 0, 0]
        check = gallery.check()
        assert (check.problems, check.people, check.templates) == ((), 22, 150)
        followed = gallery.matrix()
    with Gallery.open(new_database, origin) as fresh:
        assert fresh.matrix().vectors.tobytes() == followed.vectors.tobytes()
        assert fresh.matrix().ids == followed.ids


def test_a_writer_waits_for_another_and_says_so(gallery: Gallery, template: Make) -> None:
    with Gallery.open(gallery.location, busy_seconds=0.3) as other:
        with (
            gallery.database.writing(),
            pytest.raises(GalleryError, match=r"kept it locked for 0\.3 seconds"),
        ):
            other.add_templates("Anna", [template("a")])
        assert len(other.people()) == 0
        other.add_templates("Anna", [template("a")])
        held = threading.Event()

        def hold() -> None:
            with gallery.database.writing():
                held.set()
                threading.Event().wait(0.1)

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait()
        assert other.person("Anna").templates == 1  # reading does not wait
        holder.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_connection_of_its_own(gallery: Gallery, template: Make) -> None:
    gallery.add_templates("Anna", [template("a")])
    child = os.fork()
    if child == 0:
        try:
            gallery.add_templates("Bo", [template("b")])
            os._exit(0 if len(gallery.people()) == 2 else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert [one.name for one in gallery.people()] == ["Anna", "Bo"]
    gallery.add_templates("Carl", [template("c")])
    assert gallery.check().problems == ()


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_server_that_goes_away_is_found_again(how: str, origin: VectorOrigin, template: Make) -> None:
    """What was acknowledged is there; what was under way is an error and nothing of it is kept."""
    with running() as server:
        url = server.new_database("mine")
        with Gallery.open(url, origin, create=True, busy_seconds=2) as gallery:
            gallery.add_templates("Anna", [template("a")])
            matrix = gallery.matrix()
            server.stop(how)
            for call in (gallery.people, gallery.matrix, lambda: gallery.rename("Anna", "Bo")):
                with pytest.raises(GalleryError, match="cannot be reached or went away"):
                    call()
            server.start()
            assert [one.name for one in gallery.people()] == ["Anna"]
            assert gallery.matrix().vectors.tobytes() == matrix.vectors.tobytes()
            gallery.add_templates("Bo", [template("b")])
            with pytest.raises(GalleryError), gallery.database.writing() as connection:
                connection.execute("UPDATE person SET name = 'nobody'")
                server.stop(how)
                connection.execute("SELECT 1")
            server.start()
            assert [one.name for one in gallery.people()] == ["Anna", "Bo"]
            gallery.remove("Anna")
            assert gallery.check().problems == ()
