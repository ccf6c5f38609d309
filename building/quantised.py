"""Block-quantised ONNX networks to plain float32 ones, with a free batch.

In a block-quantised file each weight is stored as int8 with a scale and a zero point for every block of `block_size`
numbers along one axis, and a `DequantizeLinear` node (opset 21), often followed by a `Reshape`, restores it:
weight = (number - zero point) * scale. Both become float32 initialisers here, `Dropout`, which does nothing at run
time, goes, and so do weights that are also declared as inputs (ONNX Runtime would ask for them).
Source: the ONNX operators `DequantizeLinear`-21, `Reshape` and `Dropout`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from building.failure import BuildFailure

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Blocks:
    """A quantised matrix. numbers: int8 (rows, columns); scales, zeros: float32 (rows, blocks)."""

    numbers: Array
    scales: Array
    zeros: Array


@dataclass(frozen=True, eq=False)
class Dequantised:
    """The network with float32 weights and one input, and the matrices behind its weights, by their names."""

    model: onnx.ModelProto
    blocks: Mapping[str, Blocks]


def dequantised(content: bytes, name: str) -> Dequantised:
    """The plain network in a block-quantised file. name: of the file, for errors. Raises BuildFailure."""
    model = onnx.load_model_from_string(content)
    graph = model.graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    renamed: dict[str, str] = {}
    blocks: dict[str, Blocks] = {}
    nodes = []
    for node in graph.node:
        inputs = [renamed.get(value, value) for value in node.input]
        if node.op_type == "DequantizeLinear":
            parts = [values[value] for value in inputs]
            values[node.output[0]] = _restored(node, parts)
            if parts[0].ndim == 2 and parts[1].ndim == 2:
                blocks[node.output[0]] = Blocks(
                    parts[0], parts[1].astype(np.float32), parts[2].astype(np.float32)
                )
        elif node.op_type == "Reshape" and inputs[0] in values:
            values[node.output[0]] = values[inputs[0]].reshape(values[inputs[1]])
            if inputs[0] in blocks:
                blocks[node.output[0]] = blocks[inputs[0]]
        elif node.op_type == "Dropout":
            renamed[node.output[0]] = inputs[0]
        else:
            node.input[:] = inputs
            nodes.append(node)
    used = {value for node in nodes for value in node.input}
    weights = {value: array for value, array in values.items() if value in used}
    inputs_left = [value for value in graph.input if value.name in used and value.name not in weights]
    if len(inputs_left) != 1 or any(array.dtype == np.int8 for array in weights.values()):
        raise BuildFailure(f"{name}: not a block-quantised network with one input")
    plain = helper.make_graph(
        nodes,
        graph.name,
        inputs_left,
        list(graph.output),
        [numpy_helper.from_array(np.ascontiguousarray(array), value) for value, array in weights.items()],
    )
    model = helper.make_model(plain, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return Dequantised(model, {weight: of for weight, of in blocks.items() if weight in weights})


def free_batch(model: onnx.ModelProto) -> None:
    """Declare the first size of the input and of every output as free, in place."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"


def free_size(model: onnx.ModelProto) -> None:
    """Declare height and width of the input, and the places (axis 1) of every output, as free, in place."""
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[2].dim_param = "height"
        value.type.tensor_type.shape.dim[3].dim_param = "width"
    for value in model.graph.output:
        value.type.tensor_type.shape.dim[1].dim_param = f"{value.name}_places"


def _restored(node: onnx.NodeProto, inputs: list[Array]) -> Array:
    """The float32 weight behind a `DequantizeLinear` node with blocks."""
    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    numbers = inputs[0]
    axis, block = int(attributes["axis"]), int(attributes["block_size"])

    def spread(per_block: Array) -> Array:
        wide = np.repeat(per_block.astype(np.float32), block, axis=axis)
        return wide.take(np.arange(numbers.shape[axis]), axis=axis)

    scale, zero_point = spread(inputs[1]), spread(inputs[2])
    return ((numbers.astype(np.float32) - zero_point) * scale).astype(np.float32)
