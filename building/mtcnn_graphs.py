"""MTCNN's three networks as ONNX graphs, made from the weights in the wheel `mtcnn`.

The wheel keeps Keras weights: a flat list per network in layer order, kernels (height, width, in, out), dense
matrices (in, out), and the last feature map flattened in the order (x, y, channel). They are the numbers of
the original Caffe model. Each graph is fed

    pixels: float32 (n, 3, height, width), RGB, 0..255; P-Net any size from 12 x 12, R-Net 24, O-Net 48

(the networks' own input, (pixels - 127.5) / 128, is folded into the first convolution) and returns

    logit: float32 (n, ...), face minus background before the softmax: the score is 1 / (1 + exp(-logit))
    shift: float32 (n, 4, ...), corrections of x0, y0, x1, y1 in units of the window's width and height
    points: float32 (n, 10), O-Net only: five x, then five y, in units of the window's width and height

where ... is (rows, columns) for P-Net, whose cell (r, c) sees the 12 x 12 pixels from x = 2 c, y = 2 r on,
and nothing for the other two.
Source: Zhang, Zhang, Li, Qiao: "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", 2016; the layers are those of `mtcnn.network` in the wheel (MIT licence).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

from building.failure import BuildFailure
from building.mtcnn_arrays import read_arrays

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MtcnnGraphs:
    """The three networks as serialized ONNX models; inputs and outputs as in this file's docstring."""

    pnet: bytes
    rnet: bytes
    onet: bytes


def build_mtcnn_graphs(pnet: bytes, rnet: bytes, onet: bytes) -> MtcnnGraphs:
    """The three networks as ONNX models.

    pnet, rnet, onet: contents of the wheel's files pnet.lz4, rnet.lz4 and onet.lz4.
    Raises BuildFailure when a file is broken or holds other shapes than its network has.
    """
    return MtcnnGraphs(_build_pnet(pnet), _build_rnet(rnet), _build_onet(onet))


def _build_pnet(packed: bytes) -> bytes:
    shapes = [
        *_conv(3, 3, 10),
        *_conv(3, 10, 16),
        *_conv(3, 16, 32),
        (1, 1, 32, 4),
        (4,),
        (1, 1, 32, 2),
        (2,),
    ]
    weights = _weights(packed, "pnet.lz4", shapes)
    kernel1, bias1, slope1, kernel2, bias2, slope2, kernel3, bias3, slope3, *heads = weights
    graph = _Graph("P-Net")
    x = graph.first_layer(kernel1, bias1, slope1, 2)
    x = graph.prelu(graph.conv(x, kernel2, bias2), slope2)
    x = graph.prelu(graph.conv(x, kernel3, bias3), slope3)
    x = graph.conv(x, *_join_heads(heads[2:], [heads[:2]]))
    return graph.finish(x, {"logit": 1, "shift": 4}, "height", "width")


def _build_rnet(packed: bytes) -> bytes:
    shapes = [*_conv(3, 3, 28), *_conv(3, 28, 48), *_conv(2, 48, 64)]
    shapes += [(576, 128), (128,), (128,), (128, 4), (4,), (128, 2), (2,)]
    weights = _weights(packed, "rnet.lz4", shapes)
    kernel1, bias1, slope1, kernel2, bias2, slope2, kernel3, bias3, slope3, *dense = weights
    graph = _Graph("R-Net")
    x = graph.first_layer(kernel1, bias1, slope1, 3)
    x = graph.pool(graph.prelu(graph.conv(x, kernel2, bias2), slope2), 3, whole=True)
    x = graph.prelu(graph.conv(x, kernel3, bias3), slope3)
    x = graph.prelu(graph.dense(graph.flatten(x), *dense[:2]), dense[2])
    x = graph.dense(x, *_join_heads(dense[5:], [dense[3:5]]))
    return graph.finish(x, {"logit": 1, "shift": 4}, 24, 24)


def _build_onet(packed: bytes) -> bytes:
    shapes = [*_conv(3, 3, 32), *_conv(3, 32, 64), *_conv(3, 64, 64), *_conv(2, 64, 128)]
    shapes += [(1152, 256), (256,), (256,), (256, 4), (4,), (256, 10), (10,), (256, 2), (2,)]
    weights = _weights(packed, "onet.lz4", shapes)
    kernel1, bias1, slope1, kernel2, bias2, slope2, kernel3, bias3, slope3, *rest = weights
    kernel4, bias4, slope4, *dense = rest
    graph = _Graph("O-Net")
    x = graph.first_layer(kernel1, bias1, slope1, 3)
    x = graph.pool(graph.prelu(graph.conv(x, kernel2, bias2), slope2), 3, whole=True)
    x = graph.pool(graph.prelu(graph.conv(x, kernel3, bias3), slope3), 2, whole=False)
    x = graph.prelu(graph.conv(x, kernel4, bias4), slope4)
    x = graph.prelu(graph.dense(graph.flatten(x), *dense[:2]), dense[2])
    x = graph.dense(x, *_join_heads(dense[7:], [dense[3:5], dense[5:7]]))
    return graph.finish(x, {"logit": 1, "shift": 4, "points": 10}, 48, 48)


def _conv(size: int, inputs: int, outputs: int) -> list[Shape]:
    """Shapes of a convolution's kernel and bias and of the slopes of the PReLU behind it."""
    return [(size, size, inputs, outputs), (outputs,), (1, 1, outputs)]


def _weights(packed: bytes, name: str, shapes: list[Shape]) -> list[Array]:
    arrays = read_arrays(packed, name)
    found = [array.shape for array in arrays]
    if found != shapes:
        raise BuildFailure(f"weights file {name}: wanted arrays of shapes {shapes}, found {found}")
    for array in arrays:
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise BuildFailure(f"weights file {name}: wanted finite float32 numbers, found {array.dtype}")
    return arrays


def _join_heads(classes: Sequence[Array], others: Sequence[Sequence[Array]]) -> tuple[Array, Array]:
    """One layer for all heads: face minus background first, then the other heads' outputs."""
    weight, bias = classes
    weights = [weight[..., 1:] - weight[..., :1], *(head[0] for head in others)]
    biases = [bias[1:] - bias[:1], *(head[1] for head in others)]
    return np.concatenate(weights, axis=-1), np.concatenate(biases)


class _Graph:
    """Collects layers one after the other, from the input `pixels` on. Weights come in Keras layout; each
    method returns the name of what it computes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, Array] = {}

    def conv(self, x: str, kernel: Array, bias: Array) -> str:
        """Without padding, stride 1; kernel (height, width, in, out)."""
        return self._node("Conv", [x, self._constant(kernel.transpose(3, 2, 0, 1)), self._constant(bias)])

    def prelu(self, x: str, slope: Array) -> str:
        """Slope (1, 1, channels) for a feature map, (channels,) after a dense layer."""
        return self._node("PRelu", [x, self._constant(slope.reshape(-1, 1, 1) if slope.ndim == 3 else slope)])

    def pool(self, x: str, size: int, *, whole: bool) -> str:
        """Maximum over squares, stride 2; without `whole`, squares that the edge cuts count too."""
        square = [size, size]
        return self._node("MaxPool", [x], kernel_shape=square, strides=[2, 2], ceil_mode=0 if whole else 1)

    def first_layer(self, kernel: Array, bias: Array, slope: Array, size: int) -> str:
        """Convolution of (pixels - 127.5) / 128, PReLU and pooling (not `whole`), but pooling before PReLU,
        which is much faster on maps as large as this layer's.

        Where the slope a is not negative, PReLU is monotonic and the order does not matter. Where it is
        negative, PReLU(x) = max(x, a x): the convolution yields x and a x as two channels, and the greater
        of the two pooled values is taken.
        """
        kernel, bias = (
            kernel.astype(np.float64) / 128,
            bias - kernel.sum((0, 1, 2), np.float64) * (127.5 / 128),
        )
        rising, falling = np.flatnonzero(slope >= 0), np.flatnonzero(slope < 0)
        order = np.concatenate([rising, falling])
        scale = slope[0, 0, falling]
        kernel = np.concatenate([kernel[..., order], kernel[..., falling] * scale], axis=-1)
        bias = np.concatenate([bias[order], bias[falling] * scale])
        # ONNX Runtime pools fast where the channels are a multiple of eight: idle ones fill up.
        idle = -len(bias) % 8
        kernel = np.concatenate([kernel, np.zeros((*kernel.shape[:3], idle))], axis=-1)
        x = self.conv("pixels", kernel, np.concatenate([bias, np.zeros(idle)]))
        sizes = [len(rising), len(falling), len(falling), *([idle] if idle else [])]
        up, down, scaled = self.split(self.pool(x, size, whole=False), sizes)[:3]
        y = self._node(
            "Concat", [self.prelu(up, slope[..., rising]), self._node("Max", [down, scaled])], axis=1
        )
        return self._node("Gather", [y, self._constant(np.argsort(order))], axis=1)

    def flatten(self, x: str) -> str:
        """(n, channel, y, x) -> (n, x * y * channel) in the order x, y, channel."""
        return self._node("Flatten", [self._node("Transpose", [x], perm=[0, 3, 2, 1])], axis=1)

    def dense(self, x: str, matrix: Array, bias: Array) -> str:
        """Matrix (in, out)."""
        return self._node("Gemm", [x, self._constant(matrix), self._constant(bias)])

    def split(self, x: str, sizes: Sequence[int]) -> list[str]:
        """Neighbouring channels, so many each."""
        names = [f"{x}_{k}" for k in range(len(sizes))]
        self._node("Split", [x, self._constant(np.array(sizes, np.int64))], names, axis=1)
        return names

    def finish(self, heads: str, sizes: dict[str, int], height: int | str, width: int | str) -> bytes:
        """The model; its outputs are the channels of `heads`, so many each (no axis for a single one)."""
        cells = ["rows", "columns"] if isinstance(height, str) else []
        outputs = []
        for (name, size), part in zip(sizes.items(), self.split(heads, list(sizes.values())), strict=True):
            if size == 1:
                self._node("Squeeze", [part, self._constant(np.array([1], np.int64))], [name])
            else:
                self._node("Identity", [part], [name])
            shape: list[str | int | None] = ["n", *([] if size == 1 else [size]), *cells]
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, height, width])
        constants = [numpy_helper.from_array(value, name) for name, value in self._constants.items()]
        graph = helper.make_graph(self._nodes, self._name, [pixels], outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        serialized: bytes = model.SerializeToString()
        return serialized

    def _node(
        self, operator: str, inputs: list[str], outputs: list[str] | None = None, **attributes: Any
    ) -> str:
        outputs = outputs or [f"x{len(self._nodes)}"]
        self._nodes.append(helper.make_node(operator, inputs, outputs, **attributes))
        return outputs[0]

    def _constant(self, value: Array) -> str:
        name = f"c{len(self._constants)}"
        self._constants[name] = np.ascontiguousarray(
            value, np.int64 if value.dtype == np.int64 else np.float32
        )
        return name
