"""The life of a gallery: enrol, rename, merge, remove, search, check, threads and processes."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from multiface.errors import GalleryError, UsageError
from multiface.gallery.contents import NewTemplate, PictureFacts, VectorOrigin
from multiface.gallery.gallery import Added, Gallery
from multiface.gallery.names import clean_name

Make = Callable[..., NewTemplate]


def test_a_template_comes_back_as_it_went_in(gallery: Gallery, template: Make) -> None:
    new = template("a", (1.25, -3.5, 90.125, 77.0), 3)
    assert gallery.add_templates("José", [new]) == Added(1, 0)
    (kept,) = gallery.templates("Jose\u0301")
    assert kept.vector.dtype == np.float32 and kept.vector.tobytes() == new.vector.tobytes()
    assert (kept.source_digest, kept.source, kept.facts) == (new.source_digest, new.source, new.facts)
    person = gallery.person("José")
    assert kept.person == person.number and person.templates == 1
    assert person.created.endswith("+00:00") and kept.added.endswith("+00:00")


names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
boxes = st.tuples(*[st.floats(-1e4, 1e4)] * 4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names,
    hnp.arrays(np.float32, 128, elements=st.floats(-1, 1, width=32)),
    boxes,
    st.text(max_size=30) | st.just("a\0b.jpg"),
    st.floats(0, 1),
    st.binary(min_size=32, max_size=32),
)
def test_round_trip(
    gallery: Gallery,
    name: str,
    vector: np.ndarray[tuple[int], np.dtype[np.float32]],
    box: tuple[float, float, float, float],
    source: str,
    score: float,
    digest: bytes,
) -> None:
    vector[0] += 2
    vector /= np.linalg.norm(vector)
    try:
        wanted = clean_name(name)
    except UsageError:
        return
    source = source.encode("utf-8", "ignore").decode()
    new = NewTemplate(vector, digest.hex(), source, PictureFacts(9, 8, box, score, "d", 0, 1))
    try:
        gallery.add_templates(name, [new])
        (kept,) = gallery.templates(name)
        assert gallery.person(name).name == wanted
        assert (kept.vector.tobytes(), kept.source_digest) == (vector.tobytes(), digest.hex())
        assert (kept.source, kept.facts) == (source.replace("\0", "\ufffd"), new.facts)
        matrix = gallery.matrix()
        assert matrix.names == (wanted,) and matrix.vectors.tobytes() == vector.tobytes()
        assert gallery.check().problems == ()
    finally:
        gallery.remove(name)


def test_the_same_face_twice_is_one_template(gallery: Gallery, template: Make) -> None:
    first, moved_a_bit, other_face = (
        template("a"),
        template("a", (11.5, 9, 61, 72)),
        template("a", (100, 100, 150, 160)),
    )
    assert gallery.add_templates("Anna", [first, first, moved_a_bit]) == Added(1, 2)
    assert gallery.add_templates("Anna", [first, template("b")]) == Added(1, 1)
    assert gallery.add_templates("Bob", [other_face]) == Added(1, 0)  # two people in one picture
    with pytest.raises(GalleryError, match=r"a\.jpg.*'Anna'.*'Carl'"):
        gallery.add_templates("Carl", [template("c"), moved_a_bit])
    with pytest.raises(GalleryError, match="Bob"):
        gallery.add_templates("Anna", [template("a", (101, 99, 150, 160), 1), other_face])
    assert [(p.name, p.templates) for p in gallery.people()] == [("Anna", 2), ("Bob", 1)]  # no Carl, no half


@pytest.mark.parametrize(
    ("box", "turns", "same"),
    [
        ((0, 0, 10, 10), 0, True),
        ((0, 0, 10, 5), 0, True),  # exactly half
        ((0, 0, 10, 4.99), 0, False),
        ((5, 5, 15, 15), 0, False),  # 25 of 175
        ((20, 0, 30, 10), 0, False),
        ((0, 20, 10, 30), 0, False),
        ((20, 20, 30, 30), 0, False),  # apart both ways
        ((20, 20, 30, 30), 1, True),  # in another upright, where boxes cannot be compared
    ],
)
def test_the_same_face_twice_in_a_picture(
    gallery: Gallery,
    template: Callable[..., NewTemplate],
    box: tuple[float, float, float, float],
    turns: int,
    same: bool,
) -> None:
    """One template from half of the union on, whichever comes first; and nobody else's."""
    first, second = template("a", (0, 0, 10, 10)), template("a", box, turns)
    for name, pair in (("Anna", (first, second)), ("Bob", (second, first))):
        assert gallery.add_templates(name, pair) == (Added(1, 1) if same else Added(2, 0))
        assert gallery.add_templates(name, pair) == Added(0, 2)
        gallery.remove(name)
    gallery.add_templates("Anna", [first])
    if same:
        with pytest.raises(GalleryError, match="already enrolled as 'Anna'"):
            gallery.add_templates("Bob", [second])
    else:
        assert gallery.add_templates("Bob", [second]) == Added(1, 0)


@pytest.mark.parametrize(
    ("vector", "fault"),
    [
        (np.full(128, 1.0, np.float32), "length 11"),
        (np.zeros(128, np.float32), "length 0"),
        (np.full(128, np.nan, np.float32), "not finite"),
        (np.full(64, 0.125, np.float32), r"shape \(64,\)"),
    ],
)
def test_a_wrong_vector_is_refused(
    gallery: Gallery, template: Make, vector: np.ndarray[tuple[int], np.dtype[np.float32]], fault: str
) -> None:
    with pytest.raises(GalleryError, match=fault):
        gallery.add_templates("Anna", [template("fine"), replace(template("a"), vector=vector)])
    assert gallery.people() == ()


def test_nobody_of_that_name(gallery: Gallery, template: Make) -> None:
    gallery.add_templates("Anna Schmidt", [template("a")])
    for call in (gallery.person, gallery.remove, gallery.templates):
        with pytest.raises(GalleryError, match="did you mean 'Anna Schmidt'"):
            call("anna schmidt")
    with pytest.raises(GalleryError, match="nobody called 'Zoë'; people in it: 1"):
        gallery.rename("Zoë", "Zoe")
    assert gallery.add_templates("Nobody", []) == Added(0, 0)
    assert len(gallery.people()) == 1


def test_rename_and_merge(gallery: Gallery, template: Make) -> None:
    gallery.add_templates("anna", [template("a"), template("b")])
    gallery.add_templates("Bob", [template("c")])
    gallery.rename("anna", "Anna")
    gallery.rename("Anna", "Anna ")
    assert [person.name for person in gallery.people()] == ["Anna", "Bob"]
    with pytest.raises(GalleryError, match="'Bob' is in it already"):
        gallery.rename("Anna", "Bob")
    with pytest.raises(UsageError, match="itself"):
        gallery.merge("Bob", "Bob ")
    assert gallery.merge("Bob", "Anna") == 2
    assert [(person.name, person.templates) for person in gallery.people()] == [("Bob", 3)]
    gallery.add_templates("Carl", [template("d")])
    gallery.merge("Bob", "Carl")
    assert [(person.name, person.templates) for person in gallery.people()] == [("Bob", 4)]
    assert gallery.check().problems == ()


def test_the_matrix_is_read_again_only_after_a_change(
    gallery: Gallery, path: Path, origin: VectorOrigin, template: Make
) -> None:
    assert gallery.matrix().vectors.shape == (0, 128)
    gallery.add_templates("Bob", [template("a")])
    gallery.add_templates("Anna", [template("b"), template("c")])
    gallery.add_templates("Bob", [template("d")])
    matrix = gallery.matrix()
    assert matrix is gallery.matrix()
    assert matrix.names == ("Bob", "Anna") and matrix.person_index.tolist() == [0, 0, 1, 1]
    wanted = [template(picture).vector.tolist() for picture in "adbc"]
    assert matrix.vectors.tolist() == wanted
    with Gallery.open(path, origin) as other:  # what another process would do
        other.remove("Bob")
        assert gallery.matrix().names == ("Anna",)
        other.rename("Anna", "Ann")
    assert gallery.matrix().names == ("Ann",)
    gallery.remove("Ann")
    assert gallery.matrix().names == ()
    assert matrix.vectors.tolist() == wanted  # what a search in progress holds stays as it was


def test_search(gallery: Gallery, template: Make) -> None:
    probe = template("b").vector[None]
    assert gallery.search(probe, "max")[0].name is None
    gallery.add_templates("Anna", [template("b"), template("c")])
    (only,) = gallery.search(probe, "max")
    assert (only.name, only.runner_up, only.runner_up_similarity) == ("Anna", None, -np.inf)
    gallery.add_templates("Bob", [template("d")])
    (found,) = gallery.search(probe, "max")
    assert (found.name, found.runner_up) == ("Anna", "Bob")
    assert found.similarity == pytest.approx(1, abs=1e-6)
    assert found.runner_up_similarity == pytest.approx(float(probe[0] @ template("d").vector), abs=1e-6)


def test_check_finds_what_was_spoilt(gallery: Gallery, path: Path, template: Make) -> None:
    gallery.add_templates("Anna", [template("a"), template("b")])
    gallery.add_templates("Bob", [template("c")])
    assert gallery.check().problems == ()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE template SET vector = ? WHERE id = 1", (b"\0" * 512,))
        other.execute("UPDATE template SET vector = ? WHERE id = 2", (b"\0" * 8,))
        other.execute("UPDATE template SET person_id = 77 WHERE id = 3")
        other.execute("INSERT INTO person (public_id, name, created) VALUES ('p', ?, '')", ("a\tb",))
    check = gallery.check()
    assert (check.people, check.people_without_templates) == (3, ("Bob", "a\tb"))
    found = "\n".join(check.problems)
    for wanted in ("template 1: the vector has length 0", "template 2: not 128", "template row 3", "U+0009"):
        assert wanted in found
    with pytest.raises(GalleryError, match="damaged"):
        gallery.matrix()


WRITER = """
import hashlib, sys
import numpy as np
from multiface.gallery.contents import NewTemplate, PictureFacts, VectorOrigin
from multiface.gallery.gallery import Gallery
path, who, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
facts = PictureFacts(1, 1, (0, 0, 1, 1), 1.0, "mtcnn", 0, 1)
with Gallery.open(path, VectorOrigin("ab" * 32, "dlib-resnet", "mtcnn", 128), create=True) as gallery:
    for number in range(count):
        vector = np.random.default_rng([ord(who[0]), number]).normal(size=128)
        vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        digest = hashlib.sha256(f"{who}{number}".encode()).hexdigest()
        gallery.add_templates(f"{who}{number % 7}", [NewTemplate(vector, digest, who, facts)])
        gallery.add_templates("everybody", [NewTemplate(vector, digest[::-1], who, facts)])
"""


def test_processes_create_and_write_at_once_while_threads_read(path: Path, origin: VectorOrigin) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), who, "40"], stderr=subprocess.PIPE)
        for who in "abc"
    ]
    with Gallery.open(path, origin, create=True) as gallery:
        faults: list[BaseException] = []

        def read() -> None:
            try:
                seen = 0
                while any(writer.poll() is None for writer in writers):
                    matrix = gallery.matrix()
                    assert len(matrix.vectors) >= seen  # nothing that was there is ever missing
                    assert (np.abs(np.linalg.norm(matrix.vectors, axis=1) - 1) < 1e-3).all()
                    seen = len(matrix.vectors)
                    assert sum(person.templates for person in gallery.people()) >= seen
            except BaseException as error:
                faults.append(error)

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for writer in writers:
            assert writer.communicate()[1] == b"" and writer.returncode == 0
        assert faults == []
        check = gallery.check()
        assert (check.problems, check.people, check.templates) == ((), 22, 240)


def test_threads_write_through_one_gallery(gallery: Gallery, template: Make) -> None:
    def write(who: str) -> None:
        for number in range(15):
            gallery.add_templates(f"{who}{number % 3}", [template(f"{who}{number}")])

    threads = [threading.Thread(target=write, args=(who,)) for who in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check = gallery.check()
    assert (check.problems, check.people, check.templates) == ((), 12, 60)


def test_connections_create_and_write_at_the_same_moment(
    tmp_path: Path, origin: VectorOrigin, template: Make
) -> None:
    faults: list[BaseException] = []

    def work(path: Path, who: str, barrier: threading.Barrier) -> None:
        try:
            barrier.wait()
            with Gallery.open(path, origin, create=True) as gallery:
                for number in range(4):
                    gallery.add_templates("everybody", [template(f"{who}{number}")])
        except BaseException as error:
            faults.append(error)

    for turn in range(8):
        path, barrier = tmp_path / f"{turn}.db", threading.Barrier(5)
        threads = [threading.Thread(target=work, args=(path, who, barrier)) for who in "abcde"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        with Gallery.open(path, origin) as gallery:
            check = gallery.check()
            assert (check.problems, check.people, check.templates) == ((), 1, 20)
