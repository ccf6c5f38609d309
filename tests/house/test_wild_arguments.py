"""Whatever pictures, arrays, names and numbers a public call is given, nothing but a MultifaceError leaves it, or the
TypeError that Python itself raises. What wants an object of ours (settings, limits) is left to the type checker.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import multiface
from multiface import Gallery, Recognizer, RecognizerSettings
from multiface.errors import MultifaceError
from multiface.faces.face import Faces
from multiface.gallery import NewTemplate
from multiface.recognition.demo import PORTRAIT

KINDS = (np.uint8, np.int64, np.float32, np.float64, np.float16, np.complex64, np.bool_, np.dtype("U3"))
SHAPES = arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=6) | st.sampled_from(
    [(9, 8, 3), (8, 9), (1, 5, 2), (5, 2), (2, 128), (1, 112, 112, 3), (3, 8, 8)]
)
ARRAYS = st.sampled_from(KINDS).flatmap(lambda kind: arrays.arrays(kind, SHAPES)) | st.just(
    np.array([None, "a"])
)
PICTURES = st.sampled_from(["L", "RGB", "RGBA", "P", "I;16", "F", "1", "CMYK", "LA"]).flatmap(
    lambda mode: st.builds(PIL.Image.new, st.just(mode), st.tuples(st.integers(0, 20), st.integers(0, 20)))
)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=64)
    | st.sampled_from([Path("none.jpg"), "", "a\0b", "\ud800", 10**400, -1, 1, object(), {}, len])
    | st.builds(io.BytesIO, st.binary(max_size=16))
    | st.builds(io.StringIO, st.text(max_size=4))
)
WILD = PLAIN | ARRAYS | PICTURES | st.lists(PLAIN | ARRAYS, max_size=3) | st.tuples(PLAIN, PLAIN)

tried = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recognizer]:
    """With one person enrolled."""
    folder = tmp_path_factory.mktemp("wild")
    with Recognizer(
        gallery=folder / "gallery.sqlite", create=True, settings=RecognizerSettings(threads=1)
    ) as one:
        one.enroll("Eileen", PORTRAIT)
        yield one


@pytest.fixture(scope="module")
def template(recognizer: Recognizer) -> NewTemplate:
    """One that fits."""
    assert recognizer.gallery is not None
    (there,) = recognizer.gallery.templates("Eileen")
    return NewTemplate(there.vector, there.source_digest, there.source, there.facts)


def outcome(call: Callable[..., object], *arguments: object, **named: object) -> None:
    """Only the errors that may leave do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (PIL.Image.DecompressionBombWarning, UserWarning))
        try:
            result = call(*arguments, **named)
            if isinstance(result, Iterator):
                for _ in zip(result, range(5), strict=False):
                    pass
        except (MultifaceError, TypeError):
            pass


@tried
@given(one=WILD)
def test_pictures(one: Any) -> None:
    outcome(multiface.load_picture, one)
    outcome(multiface.from_bgr, one)


@tried
@given(image=WILD, landmarks=WILD, template=WILD, size=WILD)
def test_align(image: Any, landmarks: Any, template: Any, size: Any) -> None:
    picture, points = np.zeros((8, 8, 3), np.uint8), np.random.default_rng(0).normal(4, 2, (1, 5, 2))
    outcome(multiface.align, image, points)
    outcome(multiface.align, picture, landmarks)
    outcome(multiface.align, picture, points, template)
    outcome(multiface.align, picture, points, size=size)
    outcome(multiface.align, image, landmarks, template, size)


@tried
@given(one=WILD, two=WILD)
def test_detector_and_embedder(one: Any, two: Any, recognizer: Recognizer) -> None:
    outcome(recognizer.detector.detect, one)
    outcome(recognizer.detector.detect, np.zeros((40, 40, 3), np.uint8), two)
    outcome(recognizer.embedder.embed, one)
    outcome(Faces, one, two, one)


@tried
@given(one=WILD, two=WILD)
def test_gallery(one: Any, two: Any, recognizer: Recognizer, template: NewTemplate) -> None:
    gallery = recognizer.gallery
    assert gallery is not None
    for method in (gallery.person, gallery.templates, gallery.named, gallery.people, gallery.remove):
        outcome(method, one)
    outcome(gallery.add_templates, one, [template])
    outcome(gallery.rename, one, two)
    outcome(gallery.rename, "Eileen", two)
    outcome(gallery.rename, gallery.people()[0].name, "Eileen")
    outcome(gallery.merge, one, two)
    outcome(gallery.search, one, "mean")
    outcome(gallery.search, np.zeros((1, recognizer.embedder.spec.dimension), np.float32), two)
    outcome(gallery.edit, "Eileen", note=one, cover=two)
    outcome(gallery.edit, "Eileen", external_id=one, groups=two)
    outcome(Gallery.open, one)


@tried
@given(one=WILD, two=WILD)
def test_recognizer(one: Any, two: Any, recognizer: Recognizer) -> None:
    outcome(recognizer.identify, one)
    outcome(recognizer.identify_many, one)
    outcome(recognizer.verify, one, two)
    outcome(recognizer.verify, PORTRAIT, PORTRAIT, rate=one, faces=two)
    outcome(recognizer.enroll, one, two)
    outcome(recognizer.enroll, "Wild", two)
    outcome(recognizer.decide, one)


@tried
@given(one=WILD, two=WILD)
def test_making_things(one: Any, two: Any, recognizer: Recognizer) -> None:
    for name in ("rate", "threads", "engine", "min_face", "flip"):
        outcome(RecognizerSettings, **{name: one})
    outcome(Recognizer, detector=recognizer.detector, weights=recognizer.embedder.network, people=two)
    outcome(Recognizer, detector=recognizer.detector, weights=recognizer.embedder.network, gallery=two)
    outcome(multiface.read_calibration, one)
    outcome(multiface.open_source, one)
    outcome(multiface.InputSpec, one, two, one, two, one, two, one)
