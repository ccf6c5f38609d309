"""A small embedder as ONNX, for tests that need any network."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from multiface.weights.spec import ARCFACE_TEMPLATE, InputSpec


def make_spec(size: int = 16, dimension: int = 8, mean: float = 127.5) -> InputSpec:
    points = tuple((x * size / 112, y * size / 112) for x, y in ARCFACE_TEMPLATE)
    return InputSpec(size, size, "rgb", (mean,) * 3, (127.5,) * 3, points, dimension)


def make_network(
    size: int = 16, dimension: int = 8, metadata: dict[str, str] | None = None, seed: int = 0
) -> bytes:
    """A linear embedder with the batch fixed at 1 in its sizes and in a Reshape, as exporters write it."""
    cells = 3 * (size // 4) ** 2
    matrix = np.random.default_rng(seed).normal(size=(cells, dimension)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("AveragePool", ["image"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
            helper.make_node("Reshape", ["small", "row"], ["flat"]),
            helper.make_node("MatMul", ["flat", "matrix"], ["embedding"]),
        ],
        "linear",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, dimension])],
        [numpy_helper.from_array(np.array([1, cells]), "row"), numpy_helper.from_array(matrix, "matrix")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    return bytes(model.SerializeToString())
