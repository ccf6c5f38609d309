"""Real faces embedded again: the vector is that of enrolment, and it is never another face of the picture.

The other weights are the same network with mirror images, whose vectors differ and are refused as others are.
"""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiface.arrays import Floats
from multiface.errors import FingerprintMismatch
from multiface.faces.face import Faces, Image
from multiface.gallery import Gallery, WantedFaces
from multiface.gallery.contents import PictureFacts
from multiface.gallery.reembedding import NOT_FOUND
from multiface.images import load_picture, save_picture
from multiface.recognition import Recognizer, RecognizerSettings
from multiface.recognition.faces_again import faces_again
from multiface.recognition.recognizer import Analyser
from tests.conftest import ROOT
from tests.drawn_faces import drawn_face


@pytest.fixture(scope="module")
def mirrored(places: dict[str, Any]) -> Iterator[Recognizer]:
    """The other recogniser, without people."""
    with Recognizer(settings=RecognizerSettings(flip=True, **places)) as opened:
        yield opened


def facts_of(recognizer: Recognizer, path: Path) -> list[PictureFacts]:
    found = recognizer.analyse(path)
    return [
        PictureFacts(found.width, found.height, tuple(box), 0.9, "x", found.turn, len(found.faces))  # type: ignore[arg-type]
        for box in found.faces.boxes.tolist()
    ]


def wanted(path: Path, *faces: PictureFacts | None, places: tuple[Path | bytes, ...] = ()) -> WantedFaces:
    return WantedFaces(hashlib.sha256(path.read_bytes()).hexdigest(), places or (path,), faces)


def test_a_gallery_gets_the_vectors_that_enrolment_would_give(
    mirrored: Recognizer, people: Path, group: Path, places: dict[str, Any], tmp_path: Path
) -> None:
    settings = RecognizerSettings(flip=False, crops=False, **places)
    (tmp_path / "by hand").mkdir()
    save_picture(drawn_face("cleo", 1), tmp_path / "by hand" / "1.jpg")
    with Recognizer(gallery=tmp_path / "g.sqlite", create=True, settings=settings) as plain:
        assert plain.gallery is not None
        plain.sync(people)
        plain.enroll("cleo", tmp_path / "by hand" / "1.jpg")
        names = [face.name for face in plain.identify(group).faces]
        assert set(names) == {"ada", "bob"}
        with pytest.raises(FingerprintMismatch, match="people reembed"):
            Recognizer(gallery=plain.gallery, settings=replace(settings, flip=True))
        assert [one.name for one in mirrored.reembed(plain.gallery).missing] == ["cleo"]
        assert [face.name for face in plain.identify(group).faces] == names
        assert mirrored.reembed(plain.gallery, [tmp_path]).switched
        for use in (
            lambda: plain.identify(group),
            lambda: plain.enroll("x", people / "bob" / "bob1.jpg"),
            lambda: plain.sync(people),
        ):
            with pytest.raises(FingerprintMismatch, match="was embedded again"):
                use()
    with pytest.raises(FingerprintMismatch):
        Recognizer(gallery=tmp_path / "g.sqlite", settings=settings)
    with Recognizer(gallery=tmp_path / "g.sqlite", settings=replace(settings, flip=True)) as now:
        assert [face.name for face in now.identify(group).faces] == names
        assert now.gallery is not None
        with mirrored.temporary_gallery() as fresh:
            mirrored.sync(people)
            mirrored.enroll("cleo", tmp_path / "by hand" / "1.jpg")
            for name in ("ada", "bob", "cleo"):
                for one, other in zip(now.gallery.templates(name), fresh.templates(name), strict=True):
                    np.testing.assert_allclose(one.vector, other.vector, atol=1e-5)
        assert now.sync(people).unchanged == 3


def test_the_face_is_the_one_whose_box_it_was(recognizer: Recognizer, group: Path) -> None:
    first, second = facts_of(recognizer, group)
    vectors = recognizer.analyse(group).embeddings
    (found,) = faces_again(recognizer.analyser, [wanted(group, second, first)])
    np.testing.assert_allclose(np.stack(found), vectors[::-1], atol=1e-5)  # type: ignore[arg-type]
    x0, y0, x1, y1 = second.box
    moved = replace(second, box=(x0 + 0.6 * (x1 - x0), y0, x1 + 0.6 * (x1 - x0), y1))
    between = replace(second, box=(x0 + 0.2 * (x1 - x0), y0, x1 + 0.2 * (x1 - x0), y1))
    ((gone,), (near,), (one, none)) = faces_again(
        recognizer.analyser, [wanted(group, moved), wanted(group, between), wanted(group, second, between)]
    )
    assert gone == "the face was not found in the picture again (2 others were)"
    np.testing.assert_allclose(near, vectors[1], atol=1e-5)  # type: ignore[arg-type]
    np.testing.assert_allclose(one, vectors[1], atol=1e-5)  # type: ignore[arg-type]
    assert isinstance(none, str)  # one face is not given twice


class HidingDetector:
    """Sees all faces of the inner one but the first."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.name = inner, inner.name
        self.sure, self.min_face = inner.sure, inner.min_face

    def detect(self, image: Image, smallest: float | None = None) -> Faces:
        faces: Faces = self.inner.detect(image, smallest)
        return faces.take(np.arange(1, len(faces)))


def test_another_face_is_no_replacement(recognizer: Recognizer, group: Path) -> None:
    """Where the detector sees one face alone now, and it is not the one of then."""
    hiding = Analyser(HidingDetector(recognizer.detector), recognizer.embedder, recognizer.flip)
    first, _ = facts_of(recognizer, group)
    for facts in (first, replace(first, quarter_turns=1), replace(first, faces_in_picture=1)):
        ((found,),) = faces_again(hiding, [wanted(group, facts)])
        assert found == "the face was not found in the picture again (1 others were)"


def test_a_face_that_lies_on_its_side(recognizer: Recognizer, people: Path, tmp_path: Path) -> None:
    save_picture(np.rot90(load_picture(people / "ada" / "ada1.jpg")).copy(), tmp_path / "lying.png")
    (facts,) = facts_of(recognizer, tmp_path / "lying.png")
    assert facts.quarter_turns
    ((found,),) = faces_again(recognizer.analyser, [wanted(tmp_path / "lying.png", facts)])
    np.testing.assert_allclose(found, recognizer.analyse(tmp_path / "lying.png").embeddings[0], atol=1e-5)  # type: ignore[arg-type]


def test_only_the_picture_itself_counts(
    recognizer: Recognizer, people: Path, group: Path, tmp_path: Path
) -> None:
    """The first place that holds it; no other content, however alike; what cannot be decoded says why."""
    ada = people / "ada" / "ada1.jpg"
    (facts,) = facts_of(recognizer, ada)
    (tmp_path / "text.jpg").write_text("no picture")
    save_picture(load_picture(ada), tmp_path / "again.jpg")
    asked = [
        wanted(ada, facts, places=(tmp_path / "none.jpg", tmp_path, group, ada)),
        wanted(ada, facts, places=(tmp_path / "again.jpg",)),
        wanted(tmp_path / "text.jpg", facts, facts),
        wanted(ada, None, places=(ada.read_bytes(),)),
        wanted(group, None),
    ]
    (there,), (changed,), texts, (portrait,), (unclear,) = faces_again(recognizer.analyser, asked)
    vector = recognizer.analyse(ada).embeddings[0]
    np.testing.assert_allclose(there, vector, atol=1e-5)  # type: ignore[arg-type]
    np.testing.assert_allclose(portrait, vector, atol=1e-5)  # type: ignore[arg-type]
    assert changed == NOT_FOUND and len(texts) == 2 and "is not a picture" in str(texts[0])
    assert isinstance(unclear, str)


def test_strangers(recognizer: Recognizer, mirrored: Recognizer, people: Path, tmp_path: Path) -> None:
    from datetime import timedelta

    from multiface.gallery import Sighting

    def met(gallery: Gallery, picture: Image, vector: Floats) -> int:
        sighting = Sighting(vector, 0.1, 0.5, picture, "2999-01-01T00:00:00+00:00")
        return gallery.strangers.find(
            sighting, lambda spread: np.full(len(spread), 0.9), (), timedelta(days=9)
        )

    bob = load_picture(people / "bob" / "bob1.jpg")
    wall = np.full((90, 80, 3), 127, np.uint8)
    vectors = recognizer.analyse(bob).embeddings
    with Gallery.open(tmp_path / "g.sqlite", recognizer.origin, create=True) as gallery:
        assert met(gallery, bob, vectors[0]) == 1
        assert met(gallery, wall, -vectors[0]) == 2
        done = mirrored.reembed(gallery)
        assert (done.switched, done.strangers, done.strangers_gone) == (True, 1, 1)
    with Gallery.open(tmp_path / "g.sqlite") as gallery:
        kept = load_picture(gallery.strangers.picture(1))
        gallery.strangers.name(1, "bob")
        np.testing.assert_allclose(
            gallery.templates("bob")[0].vector, mirrored.analyse(kept).embeddings[0], atol=1e-5
        )


OLD = """
import sys
from multiface import Recognizer, RecognizerSettings
from multiface.errors import FingerprintMismatch
gallery, picture, store, cache = sys.argv[1:]
settings = RecognizerSettings(flip=False, store=store, cache=cache, threads=1)
with Recognizer(gallery=gallery, settings=settings) as old:
    while True:
        try:
            print([face.name for face in old.identify(picture).faces], flush=True)
        except FingerprintMismatch as error:
            print("refused:", error, flush=True)
        if not sys.stdin.readline():
            break
"""


def test_another_process_refuses_once_the_switch_is_made(
    mirrored: Recognizer, people: Path, group: Path, places: dict[str, Any], tmp_path: Path
) -> None:
    settings = RecognizerSettings(flip=False, **places)
    path = tmp_path / "g.sqlite"
    with Recognizer(gallery=path, create=True, settings=settings) as plain:
        plain.sync(people)
    arguments = [str(path), str(group), str(places["store"]), str(places["cache"])]
    with subprocess.Popen(
        [sys.executable, "-c", OLD, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as other:  # fmt: skip
        assert other.stdin is not None and other.stdout is not None

        def again() -> str:
            assert other.stdin is not None and other.stdout is not None
            other.stdin.write("\n")
            other.stdin.flush()
            return other.stdout.readline()

        said = other.stdout.readline()
        assert "ada" in said and "bob" in said
        with Gallery.open(path) as gallery:
            mirrored.reembed(
                gallery, progress=lambda _done, _total: pytest.fail("differs") if again() != said else None
            )
        assert again().startswith(f"refused: gallery {path}: was embedded again with the weights 'sface'")
        assert again().startswith("refused:")
        other.stdin.close()
