"""Embeddings from the networks in the store, against the network run by hand, and small networks that lie."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from onnx import TensorProto, helper

from multiface.errors import WeightsError
from multiface.faces.embedder import BATCH, Embedder, normalised
from multiface.faces.face import Image
from multiface.faces.onnx_network import OnnxNetwork
from multiface.faces.opening import open_embedder
from multiface.weights.session import Engine, open_session
from multiface.weights.spec import ARCFACE_TEMPLATE, InputSpec
from multiface.weights.store import Store
from tests.drawn_faces import PEOPLE, drawn_face

NAMES = ("mobilefacenet_128_ms1m", "sface")
Crops = npt.NDArray[np.uint8]

SMALL = InputSpec(8, 9, "bgr", (10.0, 20.0, 30.0), (2.0, 4.0, 5.0), ARCFACE_TEMPLATE, 3)


def channel_means() -> onnxruntime.InferenceSession:
    """A network whose three numbers are the means of the channels it is fed."""
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return open_session(model.SerializeToString(), Engine())


@pytest.fixture(scope="module", params=NAMES)
def embedder(request: pytest.FixtureRequest, store: Store) -> Embedder:
    if request.param != "sface":
        request.getfixturevalue("shared")
    return open_embedder(store, request.param, Engine())


@pytest.fixture(scope="module")
def crops(embedder: Embedder, portrait: Image) -> Crops:
    """Five faces, cut to the size of the spec."""
    spec = embedder.spec
    cut = [portrait, *(drawn_face(name) for name in PEOPLE)]
    return np.stack([np.resize(image, (spec.height, spec.width, 3)) for image in cut])


def test_the_network_is_fed_as_the_spec_says(embedder: Embedder, crops: Crops, store: Store) -> None:
    """One crop at a time, written into the tensor pixel plane by pixel plane."""
    file, spec = store.embedder(embedder.name), embedder.spec
    session = onnxruntime.InferenceSession(str(file.path), providers=["CPUExecutionProvider"])
    features = embedder.features(crops)
    for crop, found in zip(crops, features, strict=True):
        planes = []
        for c in range(3):
            plane = crop[..., c if spec.colour == "rgb" else 2 - c].astype(np.float64)
            planes.append((plane - spec.mean[c]) / spec.std[c])
        (wanted,) = session.run(None, {session.get_inputs()[0].name: np.array([planes], np.float32)})
        np.testing.assert_allclose(found, wanted[0], atol=1e-4 * np.abs(wanted).max())
    assert embedder.fingerprint == file.fingerprint


def test_embeddings_are_of_unit_length(embedder: Embedder, crops: Crops) -> None:
    for flip in (True, False):
        vectors = embedder.embed(crops, flip)
        assert vectors.dtype == np.float32 and vectors.shape == (5, embedder.spec.dimension)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_flips_sum_unit_vectors(embedder: Embedder, crops: Crops) -> None:
    straight, mirrored = embedder.embed(crops, False), embedder.embed(np.flip(crops, axis=2), False)
    both = straight.astype(float) + mirrored
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    np.testing.assert_allclose(embedder.embed(crops), both, atol=1e-5)
    assert np.abs(embedder.embed(crops) - straight).max() > 1e-3
    np.testing.assert_allclose(embedder.embed(np.flip(crops, axis=2)), embedder.embed(crops), atol=1e-5)


def test_plain_embeddings_are_the_features_at_unit_length(embedder: Embedder, crops: Crops) -> None:
    features = embedder.features(crops).astype(float)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(embedder.embed(crops, False), unit, atol=1e-5)


def test_no_crops_give_no_embeddings(embedder: Embedder) -> None:
    spec = embedder.spec
    none = np.zeros((0, spec.height, spec.width, 3), np.uint8)
    assert embedder.embed(none).shape == embedder.features(none).shape == (0, spec.dimension)


@pytest.mark.parametrize("count", [1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH + 5])
def test_batches_do_not_show(count: int) -> None:
    """Each crop's own means, whatever batch it fell into; blue first, as the spec wants it."""
    small = Embedder(OnnxNetwork(channel_means(), SMALL, "small", "f"))
    crops = np.random.default_rng(count).integers(0, 256, (count, 9, 8, 3), np.uint8)
    wanted = (crops.mean(axis=(1, 2))[:, ::-1] - [10, 20, 30]) / [2, 4, 5]
    np.testing.assert_allclose(small.features(crops), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((2, 8, 9, 3), np.uint8),
        np.zeros((9, 8, 3), np.uint8),
        np.zeros((2, 9, 8, 4), np.uint8),
        np.zeros((2, 9, 8, 3), np.float32),
    ],
    ids=["turned", "one crop", "alpha", "float"],
)
def test_other_crops_are_refused(crops: Crops) -> None:
    small = Embedder(OnnxNetwork(channel_means(), SMALL, "small", "f"))
    for call in (small.embed, small.features):
        with pytest.raises(WeightsError, match=r"small wants uint8 crops \(n, 9, 8, 3\), not "):
            call(crops)


def test_a_network_that_breaks_its_promise_is_refused() -> None:
    liar = Embedder(OnnxNetwork(channel_means(), replace(SMALL, dimension=4), "liar", "f"))
    with pytest.raises(WeightsError, match=r"liar gave \(2, 3\) where its input spec promises \(2, 4\)"):
        liar.embed(np.zeros((2, 9, 8, 3), np.uint8))


def test_any_vector_but_zero_gets_unit_length() -> None:
    vectors = normalised(np.array([[0, 0], [3, 4], [1e-30, 0], [0, -1e30]], np.float32))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [[0, 0], [0.6, 0.8], [1, 0], [0, -1]], rtol=1e-6)
