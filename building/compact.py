"""Weights kept as int8 in the file: a quarter of its size, and the same float32 numbers once it is opened.

A weight that a quantised matrix stands behind becomes a few nodes over constants,

    (numbers - zero points) * scales * sign of each column

which every engine works out once while it opens the network.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from building.fast_chain import Origin
from building.quantised import Blocks

LEAST = 10_000
"""Smaller weights stay as they are."""


def compact(
    model: onnx.ModelProto, origins: Mapping[str, Origin], blocks: Mapping[str, Blocks]
) -> onnx.ModelProto:
    """The same network with its large weights as int8.

    origins: what the weights were made of. blocks: the quantised matrices by the names that origins give them.
    """
    nodes, constants = [], []
    for tensor in model.graph.initializer:
        origin = origins.get(tensor.name)
        matrix = None if origin is None else blocks.get(origin.weight)
        if origin is None or matrix is None or matrix.numbers.size < LEAST:
            constants.append(tensor)
            continue
        made = _Weight(tensor.name)
        rows, count = matrix.scales.shape
        if matrix.numbers.shape[1] % count:
            constants.append(tensor)
            continue
        scales = (matrix.scales.astype(np.float64) * origin.rows[:, None]).astype(np.float32)
        value = made.constant(matrix.numbers.reshape(rows, count, -1))
        value = made.node("Cast", [value], to=TensorProto.FLOAT)
        value = made.node("Sub", [value, made.constant(matrix.zeros[:, :, None])])
        value = made.node("Mul", [value, made.constant(scales[:, :, None])])
        value = made.node("Reshape", [value, made.constant(np.array(tensor.dims, np.int64))])
        signs = origin.columns.reshape(1, -1, *(1,) * (len(tensor.dims) - 2)).astype(np.float32)
        made.node("Mul", [value, made.constant(signs)], tensor.name)
        nodes += made.nodes
        constants += made.constants
    graph = helper.make_graph(
        [*nodes, *model.graph.node], model.graph.name, model.graph.input, model.graph.output, constants
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


class _Weight:
    """The nodes and constants of one weight."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, value: np.ndarray) -> str:
        name = f"{self._name}_{len(self.constants)}c"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        name = output or f"{self._name}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name
