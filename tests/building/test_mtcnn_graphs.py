"""The three graphs against a literal forward pass in NumPy, and against numbers from facenet-pytorch 2.6.0,
whose networks came another way from the same Caffe originals."""

import io
from typing import Any

import joblib
import lz4.frame
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest

from building import sources
from building.failure import BuildFailure
from building.mtcnn_arrays import read_arrays
from building.mtcnn_graphs import MtcnnGraphs, build_mtcnn_graphs

Array = npt.NDArray[Any]


@pytest.fixture(scope="module")
def packed() -> dict[str, bytes]:
    return {
        "pnet": sources.from_wheel(sources.PNET),
        "rnet": sources.from_wheel(sources.RNET),
        "onet": sources.from_wheel(sources.ONET),
    }


@pytest.fixture(scope="module")
def graphs(packed: dict[str, bytes]) -> MtcnnGraphs:
    return build_mtcnn_graphs(**packed)


def run(graph: bytes, pixels: Array) -> dict[str, Array]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"pixels": pixels}), strict=True))


def pattern(n: int, height: int, width: int) -> Array:
    k, c, y, x = np.meshgrid(np.arange(n), np.arange(3), np.arange(height), np.arange(width), indexing="ij")
    return ((37 * x + 91 * y + 53 * c + 17 * k + x * y) % 256).astype(np.float32)


def conv(x: Array, kernel: Array, bias: Array) -> Array:
    """x (h, w, in), kernel (kh, kw, in, out)."""
    side = kernel.shape[0]
    y = np.empty((x.shape[0] - side + 1, x.shape[1] - side + 1, kernel.shape[3]))
    for r in range(y.shape[0]):
        for c in range(y.shape[1]):
            patch = x[r : r + side, c : c + side]
            y[r, c] = [(patch * kernel[..., o]).sum() + bias[o] for o in range(kernel.shape[3])]
    return y


def prelu(x: Array, slope: Array) -> Array:
    return np.where(x > 0, x, x * slope)


def pool_same(x: Array, side: int) -> Array:
    """Keras' padding "same" for stride 2: every other position, what is beyond the edge does not count."""
    before = max(((x.shape[0] + 1) // 2 - 1) * 2 + side - x.shape[0], 0) // 2
    assert before == 0
    rows, columns = range(0, x.shape[0], 2), range(0, x.shape[1], 2)
    return np.array([[x[r : r + side, c : c + side].max((0, 1)) for c in columns] for r in rows])


def pool_valid(x: Array, side: int) -> Array:
    rows, columns = range(0, x.shape[0] - side + 1, 2), range(0, x.shape[1] - side + 1, 2)
    return np.array([[x[r : r + side, c : c + side].max((0, 1)) for c in columns] for r in rows])


def face_logit(classes: Array) -> Array:
    softmax = np.exp(classes) / np.exp(classes).sum(-1, keepdims=True)
    return np.log(softmax[..., 1]) - np.log(1 - softmax[..., 1])


def literal_pnet(w: list[Array], x: Array) -> dict[str, Array]:
    x = pool_same(prelu(conv(x, w[0], w[1]), w[2]), 2)
    x = prelu(conv(x, w[3], w[4]), w[5])
    x = prelu(conv(x, w[6], w[7]), w[8])
    return {"shift": conv(x, w[9], w[10]).transpose(2, 0, 1), "logit": face_logit(conv(x, w[11], w[12]))}


def literal_rnet(w: list[Array], x: Array) -> dict[str, Array]:
    x = pool_same(prelu(conv(x, w[0], w[1]), w[2]), 3)
    x = pool_valid(prelu(conv(x, w[3], w[4]), w[5]), 3)
    x = prelu(conv(x, w[6], w[7]), w[8])
    x = prelu(x.transpose(1, 0, 2).reshape(-1) @ w[9] + w[10], w[11])
    return {"shift": x @ w[12] + w[13], "logit": face_logit(x @ w[14] + w[15])}


def literal_onet(w: list[Array], x: Array) -> dict[str, Array]:
    x = pool_same(prelu(conv(x, w[0], w[1]), w[2]), 3)
    x = pool_valid(prelu(conv(x, w[3], w[4]), w[5]), 3)
    x = pool_same(prelu(conv(x, w[6], w[7]), w[8]), 2)
    x = prelu(conv(x, w[9], w[10]), w[11])
    x = prelu(x.transpose(1, 0, 2).reshape(-1) @ w[12] + w[13], w[14])
    return {
        "shift": x @ w[15] + w[16],
        "points": x @ w[17] + w[18],
        "logit": face_logit(x @ w[19] + w[20]),
    }


@pytest.mark.parametrize(
    ("name", "literal", "sizes"),
    [
        ("pnet", literal_pnet, [(12, 12), (13, 18), (21, 16)]),
        ("rnet", literal_rnet, [(24, 24)]),
        ("onet", literal_onet, [(48, 48)]),
    ],
)
def test_graphs_compute_the_layers_literally(
    packed: dict[str, bytes], graphs: MtcnnGraphs, name: str, literal: Any, sizes: list[tuple[int, int]]
) -> None:
    weights = [array.astype(np.float64) for array in read_arrays(packed[name], name)]
    for height, width in sizes:
        pixels = np.random.default_rng(5).integers(0, 256, (2, 3, height, width)).astype(np.float32)
        found = run(getattr(graphs, name), pixels)
        for k in range(len(pixels)):
            wanted = literal(weights, (pixels[k].transpose(1, 2, 0) - 127.5) / 128)
            assert set(found) == set(wanted)
            for output, value in wanted.items():
                assert found[output][k].shape == value.shape and found[output].dtype == np.float32
                np.testing.assert_allclose(found[output][k], value, rtol=1e-4, atol=2e-5, err_msg=output)


def score(logit: Array) -> Array:
    return 1 / (1 + np.exp(-logit.astype(np.float64)))


def test_pnet_as_facenet_pytorch(graphs: MtcnnGraphs) -> None:
    found = run(graphs.pnet, pattern(1, 17, 15))
    np.testing.assert_allclose(
        score(found["logit"][0]),
        [
            [0.006826534, 0.003105146, 0.002475172],
            [0.019030869, 0.002031848, 0.000500563],
            [0.003743759, 0.003713754, 0.010425223],
            [0.002561382, 0.005465945, 0.001706323],
        ],
        rtol=1e-4,
    )
    np.testing.assert_allclose(
        found["shift"][0, :, 0],
        [
            [0.12845385, 0.07825619, 0.13656367],
            [0.21020706, 0.18680276, 0.14425136],
            [-0.14704031, -0.13228318, -0.1023379],
            [0.002903019, 0.030330732, -0.023288839],
        ],
        atol=1e-5,
    )


def test_rnet_as_facenet_pytorch(graphs: MtcnnGraphs) -> None:
    found = run(graphs.rnet, pattern(2, 24, 24))
    np.testing.assert_allclose(score(found["logit"]), [0.000608137, 0.000525805], rtol=1e-4)
    np.testing.assert_allclose(
        found["shift"],
        [
            [-0.15027814, -0.20080319, 0.08731006, 0.3457827],
            [-0.111628726, -0.13369936, 0.07567756, 0.34359813],
        ],
        atol=1e-5,
    )


def test_onet_as_facenet_pytorch(graphs: MtcnnGraphs) -> None:
    found = run(graphs.onet, pattern(2, 48, 48))
    np.testing.assert_allclose(score(found["logit"]), [2.9690094e-05, 6.2255102e-05], rtol=1e-4)
    np.testing.assert_allclose(
        found["shift"],
        [
            [0.032134205, -0.025142167, -0.14069603, 0.048903555],
            [0.062154766, -0.016784716, -0.12924173, 0.02026433],
        ],
        atol=1e-5,
    )
    x0 = [0.264495, 0.5802662, 0.43461293, 0.30550545, 0.5649029]
    y0 = [0.33857477, 0.28975472, 0.5037348, 0.8042881, 0.7788454]
    x1 = [0.26226133, 0.5434031, 0.4116499, 0.32937285, 0.56531006]
    y1 = [0.35677823, 0.27427113, 0.4709314, 0.78705555, 0.7230835]
    np.testing.assert_allclose(found["points"], [x0 + y0, x1 + y1], atol=1e-5)


def test_pnet_on_a_strip_is_the_strip_of_the_whole(graphs: MtcnnGraphs) -> None:
    pixels = pattern(1, 64, 30)
    whole, strip = run(graphs.pnet, pixels), run(graphs.pnet, pixels[:, :, 20:52])
    np.testing.assert_allclose(strip["logit"], whole["logit"][:, 10:21], atol=1e-5)
    np.testing.assert_allclose(strip["shift"], whole["shift"][:, :, 10:21], atol=1e-5)


def test_models_are_valid_and_the_same_each_time(packed: dict[str, bytes], graphs: MtcnnGraphs) -> None:
    for graph in (graphs.pnet, graphs.rnet, graphs.onet):
        onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)
    assert build_mtcnn_graphs(**packed) == graphs


def test_files_of_another_network_or_broken_ones_are_refused(packed: dict[str, bytes]) -> None:
    with pytest.raises(BuildFailure, match=r"pnet\.lz4: wanted arrays of shapes"):
        build_mtcnn_graphs(packed["rnet"], packed["rnet"], packed["onet"])
    with pytest.raises(BuildFailure, match=r"onet\.lz4"):
        build_mtcnn_graphs(packed["pnet"], packed["rnet"], packed["onet"][:-100])
    arrays = read_arrays(packed["rnet"], "rnet.lz4")
    arrays[4][0] = np.nan
    file = io.BytesIO()
    joblib.dump(arrays, file)
    with pytest.raises(BuildFailure, match=r"rnet\.lz4: wanted finite float32"):
        build_mtcnn_graphs(packed["pnet"], lz4.frame.compress(file.getvalue()), packed["onet"])
