"""A chain of convolutions rewritten so that ONNX Runtime keeps it in its blocked layout; the result is the same.

ONNX Runtime runs convolutions several times as fast on channels in blocks, but leaves that layout at each `PRelu`. Here
each PReLU with slope a becomes what the layout knows, a convolution, an addition and a `Relu`:

    PReLU(z) = a z + (1 - a) relu(z)

With u = |1 - a| z, which costs nothing since the scale goes into the convolution before, and s the sign of 1 - a:

    s PReLU(z) = s a / |1 - a| u + relu(u)                     before a pointwise convolution, which takes the sign up
    D PReLU(z) = (D a / |1 - a|) u + (D s) relu(u)             before a depthwise convolution D: twice the same, added

Batch norms, and the scale of the input, go into the weights. A channel whose slope is 1 within 1e-3 has no such u: it
keeps u = z and gets 1 - a as a factor of the second term.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from building.failure import BuildFailure

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Origin:
    """What a weight was made of: the one of this name, a factor for each row (out,), a sign for each column (in,)."""

    weight: str
    rows: Array
    columns: Array

    def of(self, weight: Array) -> Array:
        """The weight (out, in, ...) with both."""
        rest = (1,) * (weight.ndim - 2)
        scaled: Array = weight * self.rows.reshape(-1, 1, *rest) * self.columns.reshape(1, -1, *rest)
        return scaled


@dataclass(frozen=True, eq=False)
class _Layer:
    """A convolution and the factor (out,) that its batch norm puts on it.

    name: of the weight. weight (out, in / group, h, w), bias (out,) behind the factor, slopes (out,).
    """

    name: str
    weight: Array
    factor: Array
    bias: Array
    slopes: Array
    attributes: dict[str, Any]

    @property
    def depthwise(self) -> bool:
        return bool(self.attributes.get("group", 1) == len(self.weight) and self.weight.shape[1] == 1)


@dataclass(frozen=True, eq=False)
class _Chain:
    """The whole network.

    shift, scale: the input is (pixels - shift) * scale. norm: factor (c,) behind the last activation. tail_name, tail
    (d, c * h * w), tail_factor (d,), tail_bias (d,): the last matrix and what its batch norm puts on it.
    """

    shift: float
    scale: float
    layers: tuple[_Layer, ...]
    norm: Array
    tail_name: str
    tail: Array
    tail_factor: Array
    tail_bias: Array


def fast(model: onnx.ModelProto) -> tuple[onnx.ModelProto, Mapping[str, Origin]]:
    """The same network for ONNX Runtime's blocked layout, and where the larger of its weights come from, by name.

    model: Sub, Mul, then (Conv, BatchNormalization, PRelu) over and over, then BatchNormalization, Flatten, Gemm and
    BatchNormalization; one input, float32 (n, 3, h, w), one output (n, d). Raises BuildFailure for any other.
    """
    chain = _read(model)
    graph = _Graph()
    first = chain.layers[0]
    value = graph.node("Sub", [model.graph.input[0].name, graph.constant(np.array([chain.shift]))])
    factor = first.factor * _scale(first) * chain.scale
    value = graph.conv(value, first.weight * factor[:, None, None, None], _bias(first), first)
    for before, layer in zip(chain.layers, chain.layers[1:], strict=False):
        straight, rectified = _parts(before)
        positive = graph.node("Relu", [value])
        factor = layer.factor * _scale(layer)
        if layer.depthwise:
            weight = layer.weight * factor[:, None, None, None]
            one = graph.conv(value, weight * straight[:, None, None, None], _bias(layer), layer)
            two = graph.conv(positive, weight * rectified[:, None, None, None], None, layer)
            value = graph.node("Add", [two, one])
        else:
            sign = np.where(rectified < 0, -1.0, 1.0)
            active = graph.activated(value, positive, straight * sign, rectified * sign)
            origin = Origin(layer.name, factor, sign)
            value = graph.conv(active, origin.of(layer.weight), _bias(layer), layer, origin)
    straight, rectified = _parts(chain.layers[-1])
    active = graph.activated(
        value, graph.node("Relu", [value]), straight * chain.norm, rectified * chain.norm
    )
    origin = Origin(chain.tail_name, chain.tail_factor, np.ones(chain.tail.shape[1]))
    matrix = graph.constant(origin.of(chain.tail), origin)
    graph.node(
        "Gemm",
        [graph.node("Flatten", [active], axis=1), matrix, graph.constant(chain.tail_bias)],
        model.graph.output[0].name,
        transB=1,
    )
    made = helper.make_graph(
        graph.nodes, model.graph.name, model.graph.input, model.graph.output, graph.constants
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), graph.origins


def _scale(layer: _Layer) -> Array:
    """u in units of z."""
    gap = np.abs(1 - layer.slopes)
    return np.where(gap < 1e-3, 1.0, gap)


def _bias(layer: _Layer) -> Array:
    return layer.bias * _scale(layer)


def _parts(layer: _Layer) -> tuple[Array, Array]:
    """PReLU(z) = first * u + second * relu(u)."""
    scale = _scale(layer)
    return layer.slopes / scale, (1 - layer.slopes) / scale


def _read(model: onnx.ModelProto) -> _Chain:
    values = {
        tensor.name: numpy_helper.to_array(tensor).astype(np.float64) for tensor in model.graph.initializer
    }
    nodes = [node for node in model.graph.node if node.op_type != "Constant"]
    kinds = [node.op_type for node in nodes]
    count = (len(nodes) - 6) // 3
    wanted = ["Sub", "Mul", *["Conv", "BatchNormalization", "PRelu"] * count]
    wanted += ["BatchNormalization", "Flatten", "Gemm", "BatchNormalization"]
    if kinds != wanted or count < 1:
        raise BuildFailure(
            f"{model.graph.name}: not a chain of convolutions with PReLU, but {' '.join(kinds[:12])} ..."
        )
    for node in model.graph.node:
        if node.op_type == "Constant":
            values[node.output[0]] = numpy_helper.to_array(node.attribute[0].t).astype(np.float64)
    layers = []
    for k in range(count):
        conv, norm, act = nodes[2 + 3 * k : 5 + 3 * k]
        factor, offset = _norm(norm, values)
        bias = values[conv.input[2]] if len(conv.input) > 2 else np.zeros(len(factor))
        attributes = {one.name: helper.get_attribute_value(one) for one in conv.attribute}
        layers.append(
            _Layer(
                conv.input[1],
                values[conv.input[1]],
                factor,
                bias * factor + offset,
                np.broadcast_to(values[act.input[1]].reshape(-1), factor.shape),
                attributes,
            )
        )
    before, gemm, after = nodes[-4], nodes[-2], nodes[-1]
    factor, offset = _norm(before, values)
    out_factor, out_offset = _norm(after, values)
    matrix = values[gemm.input[1]]
    if next((one.i for one in gemm.attribute if one.name == "transB"), 0) != 1:
        raise BuildFailure(f"{model.graph.name}: its last matrix is not (out, in)")
    bias = values[gemm.input[2]] + matrix @ np.repeat(offset, matrix.shape[1] // len(factor))
    return _Chain(
        float(values[nodes[0].input[1]].reshape(())),
        float(values[nodes[1].input[1]].reshape(())),
        tuple(layers),
        factor,
        gemm.input[1],
        matrix,
        out_factor,
        bias * out_factor + out_offset,
    )


def _norm(node: onnx.NodeProto, values: dict[str, Array]) -> tuple[Array, Array]:
    """A batch norm as factor and offset of each channel."""
    gamma, beta, mean, variance = (values[name] for name in node.input[1:])
    epsilon = next((one.f for one in node.attribute if one.name == "epsilon"), 1e-5)
    factor = gamma / np.sqrt(variance + epsilon)
    return factor, beta - mean * factor


class _Graph:
    """Nodes and constants in the order in which they are added, and the origins of constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []
        self.origins: dict[str, Origin] = {}

    def constant(self, value: Array, origin: Origin | None = None) -> str:
        name = f"w{len(self.constants)}"
        if origin is not None:
            self.origins[name] = origin
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        name = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def conv(
        self, value: str, weight: Array, bias: Array | None, layer: _Layer, origin: Origin | None = None
    ) -> str:
        inputs = [value, self.constant(weight, origin), *([] if bias is None else [self.constant(bias)])]
        return self.node("Conv", inputs, **layer.attributes)

    def activated(self, value: str, positive: str, straight: Array, rectified: Array) -> str:
        """straight * value + rectified * positive, with a factor for each channel."""
        if not np.allclose(rectified, 1.0, rtol=0, atol=1e-12):
            positive = self._scaled(positive, rectified)
        return self.node("Add", [self._scaled(value, straight), positive])

    def _scaled(self, value: str, factor: Array) -> str:
        """Each channel times its factor, as a depthwise convolution of one place."""
        return self.node("Conv", [value, self.constant(factor[:, None, None, None])], group=len(factor))
