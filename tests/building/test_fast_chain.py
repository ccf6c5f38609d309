"""Chains of convolutions before and after the rewrite, run by ONNX Runtime: the same numbers, in its blocked layout."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from building.compact import compact
from building.failure import BuildFailure
from building.fast_chain import fast
from building.quantised import Blocks

RNG = np.random.default_rng(8)
SLOPES = {
    "usual": RNG.uniform(0.05, 0.6, 16),
    "negative": RNG.uniform(-0.9, -0.1, 16),
    "above 1": RNG.uniform(1.2, 2.0, 16),
    "mixed": np.array([-0.5, 0.0, 0.3, 0.9995, 1.0, 1.0005, 1.4, 3.0] * 2),
}


def chain(slopes: np.ndarray) -> tuple[onnx.ModelProto, dict[str, Blocks]]:
    """3 -> 16 channels, then depthwise, pointwise, depthwise, pointwise; 8 x 8 pixels to 6 numbers. The pointwise
    weights and the last matrix come from quantised ones."""
    nodes, constants, blocks = [], {}, {}

    def constant(name: str, value: np.ndarray) -> str:
        constants[name] = np.asarray(value, np.float32)
        return name

    def quantised(name: str, shape: tuple[int, ...]) -> str:
        columns = int(np.prod(shape[1:]))
        numbers = RNG.integers(-128, 128, (shape[0], columns)).astype(np.int8)
        scales = RNG.uniform(0.001, 0.01, (shape[0], columns // 8)).astype(np.float32)
        zeros = RNG.integers(-20, 20, scales.shape).astype(np.float32)
        blocks[name] = Blocks(numbers, scales, zeros)
        matrix = (numbers.reshape(shape[0], -1, 8) - zeros[:, :, None]) * scales[:, :, None]
        return constant(name, matrix.reshape(shape))

    def norm(value: str, k: str, channels: int) -> str:
        parts = [
            constant(f"{k}_{part}", RNG.uniform(low, high, channels))
            for part, low, high in (("g", -1.5, 1.5), ("b", -1, 1), ("m", -1, 1), ("v", 0.5, 2))
        ]
        nodes.append(helper.make_node("BatchNormalization", [value, *parts], [f"{k}_norm"], epsilon=1e-3))
        return f"{k}_norm"

    nodes.append(helper.make_node("Sub", ["data", constant("shift", np.array([127.5]))], ["s"]))
    nodes.append(helper.make_node("Mul", ["s", constant("scale", np.array([1 / 128]))], ["v"]))
    value = "v"
    for k, (kind, inputs) in enumerate([("full", 3), ("dw", 16), ("pw", 16), ("dw", 16), ("pw", 16)]):
        size, pad, group = (1, 0, 1) if kind == "pw" else (3, 1, 1 if kind == "full" else 16)
        shape = (16, inputs // group, size, size)
        weight = quantised(f"w{k}", shape) if kind == "pw" else constant(f"w{k}", RNG.normal(0, 0.3, shape))
        nodes.append(
            helper.make_node(
                "Conv", [value, weight], [f"c{k}"], group=group, kernel_shape=[size] * 2, pads=[pad] * 4
            )
        )
        slope = constant(f"a{k}", RNG.permutation(slopes).reshape(16, 1, 1))
        nodes.append(helper.make_node("PRelu", [norm(f"c{k}", f"n{k}", 16), slope], [f"p{k}"]))
        value = f"p{k}"
    nodes.append(helper.make_node("Flatten", [norm(value, "last", 16)], ["flat"], axis=1))
    matrix = quantised("matrix", (6, 16 * 64))
    nodes.append(
        helper.make_node("Gemm", ["flat", matrix, constant("bias", RNG.normal(size=6))], ["out6"], transB=1)
    )
    last = norm("out6", "end", 6)
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["n", 6])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), blocks


def run(model: onnx.ModelProto, images: np.ndarray, optimised: Path | None = None) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, {"data": images})[0])


@pytest.mark.parametrize("kind", SLOPES)
@pytest.mark.parametrize("count", [1, 5])
def test_the_result_is_the_same(kind: str, count: int) -> None:
    model, blocks = chain(SLOPES[kind])
    quick, origins = fast(model)
    images = RNG.integers(0, 256, (count, 3, 8, 8)).astype(np.float32)
    wanted = run(model, images)
    length = np.linalg.norm(wanted, axis=1, keepdims=True)
    onnx.checker.check_model(quick)
    assert (np.abs(run(quick, images) - wanted) / length).max() < 5e-6
    small = compact(quick, origins, blocks)
    assert (np.abs(run(small, images) - wanted) / length).max() < 5e-6


def test_large_weights_are_int8_in_the_file_and_nothing_else_is_left_of_them_once_it_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("building.compact.LEAST", 200)
    model, blocks = chain(SLOPES["mixed"])
    quick, origins = fast(model)
    small = compact(quick, origins, blocks)
    assert len(small.SerializeToString()) < 0.8 * len(quick.SerializeToString())
    assert sum(t.data_type == TensorProto.INT8 for t in small.graph.initializer) == 3
    images = RNG.integers(0, 256, (2, 3, 8, 8)).astype(np.float32)
    wanted = run(model, images)
    found = run(small, images, tmp_path / "open.onnx")
    assert (np.abs(found - wanted) / np.linalg.norm(wanted, axis=1, keepdims=True)).max() < 5e-6
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "open.onnx").graph.node)
    assert not {"Cast", "PRelu", "BatchNormalization"} & set(kinds) and "Add" not in kinds
    assert kinds["ReorderOutput"] <= 1, "the layout is left only before the last matrix"


def test_another_network_is_refused() -> None:
    model, _ = chain(SLOPES["usual"])
    model.graph.node[4].op_type = "Relu"
    with pytest.raises(BuildFailure, match="not a chain of convolutions with PReLU"):
        fast(model)
