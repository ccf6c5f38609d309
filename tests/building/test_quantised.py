"""Block-quantised weights against ONNX Runtime's own DequantizeLinear, and a literal loop."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from building.failure import BuildFailure
from building.quantised import dequantised, free_batch, free_size

RNG = np.random.default_rng(5)
BLOCK = 4


def quantised_network(columns: int) -> tuple[bytes, np.ndarray]:
    """A 1 x 1 convolution from 3 channels to 6 by a quantised matrix (6, columns); its weight (6, 3, 1, 1)."""
    blocks = -(-columns // BLOCK)
    numbers = RNG.integers(-128, 128, (6, columns)).astype(np.int8)
    scales = RNG.uniform(0.01, 0.1, (6, blocks)).astype(np.float32)
    zeros = RNG.integers(-9, 9, (6, blocks)).astype(np.int8)
    weight = np.empty((6, columns), np.float32)
    for row in range(6):
        for column in range(columns):
            block = column // BLOCK
            step = np.float32(int(numbers[row, column]) - int(zeros[row, block]))
            weight[row, column] = step * scales[row, block]
    shape = np.array([6, 3, 1, columns // 3])
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["flat"], axis=1, block_size=BLOCK),
            helper.make_node("Reshape", ["flat", "shape"], ["weight"]),
            helper.make_node("Conv", ["image", "weight"], ["seen"], pads=[0, 0, 0, 0]),
            helper.make_node("Dropout", ["seen"], ["kept"]),
            helper.make_node("Relu", ["kept"], ["out"]),
        ],
        "quantised",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8]),
            helper.make_tensor_value_info("weight", TensorProto.FLOAT, shape.tolist()),
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 6, 8, 9 - columns // 3])],
        [
            numpy_helper.from_array(array, name)
            for name, array in {"q": numbers, "s": scales, "z": zeros, "shape": shape}.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return model.SerializeToString(), weight.reshape(shape)


@pytest.mark.parametrize("columns", [12, 9])
def test_the_weight_is_restored(columns: int) -> None:
    """Also where the last block is not full."""
    content, weight = quantised_network(columns)
    model = dequantised(content, "made here").model
    onnx.checker.check_model(model)
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    np.testing.assert_array_equal(tensors.pop("weight"), weight)
    assert not tensors and [value.name for value in model.graph.input] == ["image"]
    assert {node.op_type for node in model.graph.node} == {"Conv", "Relu"}


def test_the_result_is_that_of_onnx_runtime() -> None:
    content, _ = quantised_network(12)
    declared = onnx.load_model_from_string(content)
    del declared.graph.input[1]  # ONNX Runtime refuses the file as it is published
    model = dequantised(content, "made here").model
    free_batch(model)
    images = RNG.normal(size=(3, 3, 8, 8)).astype(np.float32)
    together = run(model.SerializeToString(), images)
    alone = np.concatenate([run(declared.SerializeToString(), image[None]) for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_free_size_is_declared() -> None:
    model = dequantised(quantised_network(9)[0], "made here").model
    free_size(model)
    sizes = model.graph.input[0].type.tensor_type.shape.dim
    assert [size.dim_value or size.dim_param for size in sizes] == [1, 3, "height", "width"]


def test_another_network_is_refused() -> None:
    content, _ = quantised_network(9)
    two = onnx.load_model_from_string(content)
    two.graph.node[2].input.append("bias")
    two.graph.input.append(helper.make_tensor_value_info("bias", TensorProto.FLOAT, [6]))
    with pytest.raises(BuildFailure, match="made here: not a block-quantised network"):
        dequantised(two.SerializeToString(), "made here")


def run(model: bytes, images: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"image": images})[0])
