"""A reader of neural networks in the serialization format of the C++ library dlib.

What a file holds, in this order: the version of the loss layer (1), the loss layer, then one version number
for every layer from the output down to the input, then the layers' details from the input up to the output.
Version 2 stands for a computing layer, 1 for a tag or a skip (a name for a place; it holds nothing more),
and 3 for the last one, a computing layer together with the input layer below it.

- Integer: a control byte (low 4 bits: the number n of bytes, 1..8; 0x80: negative; other bits zero), then n
  bytes of the magnitude, little-endian.
- Real number: two integers, mantissa and exponent; the value is mantissa * 2 ** exponent. Exponents 32000,
  32001 and 32002 mean inf, -inf and NaN and are refused here.
- Boolean: the character 0 or 1. Text: its length as an integer, then its bytes.
- Tensor: version 2, four sizes (samples, channels, rows, columns), then float32 little-endian.
- Shape of a view into a tensor: version 1 and four sizes.
- After the details of a computing layer: three booleans and three tensors of training state (empty in a
  published file), after those of version 3 one integer more.

Source: dlib/serialize.h, dlib/float_details.h and dlib/dnn/{core,tensor,layers,loss,input}.h of dlib 19,
read there for the format alone.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.errors import WeightsError

Floats = npt.NDArray[np.float32]
Shape = tuple[int, int, int, int]

_MAX_LAYERS = 10_000
_ADD_LAYER, _TAG_OR_SKIP, _LAYER_ON_INPUT = 2, 1, 3


@dataclass(frozen=True, slots=True)
class Convolution:
    """Cross-correlation with bias. weights: float32 (filters, channels, rows, columns), bias: (filters,).

    stride, padding: (rows, columns); the padding is of zeros and the same on both sides.
    """

    weights: Floats
    bias: Floats
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Affine:
    """y = gamma * x + beta, per channel; float32 (channels,) each. A batch norm frozen after training."""

    gamma: Floats
    beta: Floats


@dataclass(frozen=True, slots=True)
class Relu:
    """max(x, 0)."""


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Largest value in a window; size, stride, padding: (rows, columns)."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, slots=True)
class AveragePool:
    """Mean over a window; size, stride, padding: (rows, columns). Size (0, 0) means the whole plane."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, slots=True)
class AddPrevious:
    """Sum with the output of an earlier, tagged layer; where sizes differ both are zero-padded at the end."""


@dataclass(frozen=True, slots=True)
class FullyConnected:
    """y = x @ weights without bias; weights: float32 (inputs, outputs)."""

    weights: Floats


@dataclass(frozen=True, slots=True)
class TagOrSkip:
    """A name for the output below, or a jump back to such a name. The file does not tell which."""


Layer = Convolution | Affine | Relu | MaxPool | AveragePool | AddPrevious | FullyConnected | TagOrSkip


@dataclass(frozen=True, slots=True)
class DlibNetwork:
    """A network as its file holds it.

    mean: what is taken off the red, green and blue values (0..255) before they are divided by 256.
    rows, columns: size of the input in pixels.
    layers: from the input to the output.
    """

    mean: tuple[float, float, float]
    rows: int
    columns: int
    layers: tuple[Layer, ...]


def read_dlib_network(data: bytes) -> DlibNetwork:
    """The network in the bytes of a dlib file that ends in `loss_metric` and starts with an RGB image.

    Raises WeightsError if the file is truncated, has bytes left over, is of another kind, or holds numbers
    that are not finite. Reads every byte at most once, and never reserves more memory than the file's size.
    """
    reader = _Reader(data)
    reader.expect_version("loss layer", 1)
    reader.expect_text("loss_metric_2")
    reader.real()  # margin and distance threshold: of use in training only
    reader.real()

    kinds: list[int] = []
    while not kinds or kinds[-1] != _LAYER_ON_INPUT:
        kind = reader.integer()
        if kind not in (_ADD_LAYER, _TAG_OR_SKIP, _LAYER_ON_INPUT) or len(kinds) == _MAX_LAYERS:
            raise reader.error(f"version {kind} where the list of layers should go on")
        kinds.append(kind)

    reader.expect_text("input_rgb_image_sized")
    mean = (reader.real(), reader.real(), reader.real())
    rows, columns = reader.size(), reader.size()
    layers = tuple(_layer(reader, kind) for kind in reversed(kinds))
    reader.expect_end()
    return DlibNetwork(mean, rows, columns, layers)


class _Reader:
    """A position in the bytes of a file; every method reads one thing and moves on."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def error(self, what: str) -> WeightsError:
        return WeightsError(
            f"dlib network file: {what} (at byte {self._at} of {len(self._data)}); "
            "the file is broken or not the network that was expected, get it anew"
        )

    def take(self, count: int) -> bytes:
        piece = self._data[self._at : self._at + count]
        if len(piece) < count:
            raise self.error(f"truncated, {count} bytes wanted and {len(piece)} left")
        self._at += count
        return piece

    def integer(self) -> int:
        control = self.take(1)[0]
        count = control & 0x0F
        if control & 0x70 or not 1 <= count <= 8:
            raise self.error(f"byte 0x{control:02x} does not start an integer")
        magnitude = int.from_bytes(self.take(count), "little")
        return -magnitude if control & 0x80 else magnitude

    def size(self) -> int:
        value = self.integer()
        if not 0 <= value < 2**31:
            raise self.error(f"{value} is not a size")
        return value

    def pair(self) -> tuple[int, int]:
        return self.size(), self.size()

    def real(self) -> float:
        mantissa, exponent = self.integer(), self.integer()
        if not (abs(exponent) <= 1100 and abs(mantissa) < 2**63):
            raise self.error(f"{mantissa} * 2 ** {exponent} is not a finite number")
        try:
            return math.ldexp(mantissa, exponent)
        except OverflowError:
            raise self.error(f"{mantissa} * 2 ** {exponent} is not a finite number") from None

    def boolean(self) -> bool:
        character = self.take(1)
        if character not in (b"0", b"1"):
            raise self.error(f"{character!r} is not a boolean")
        return character == b"1"

    def text(self) -> str:
        return self.take(self.size()).decode("latin-1")

    def shape(self) -> Shape:
        self.expect_version("shape", 1)
        return self.size(), self.size(), self.size(), self.size()

    def tensor(self) -> Floats:
        self.expect_version("tensor", 2)
        shape = (self.size(), self.size(), self.size(), self.size())
        values = np.frombuffer(self.take(4 * math.prod(shape)), "<f4").astype(np.float32)
        if not np.isfinite(values).all():
            raise self.error("a tensor with numbers that are not finite")
        return values.reshape(shape)

    def expect_version(self, thing: str, version: int) -> None:
        found = self.integer()
        if found != version:
            raise self.error(f"{thing} of version {found}, only version {version} can be read")

    def expect_text(self, wanted: str) -> None:
        # Compared before decoding, so that a foreign file shows no megabytes of text in the message.
        found = self.take(min(self.size(), 64))
        if found != wanted.encode():
            raise self.error(f"{found!r} where {wanted!r} was wanted")

    def expect_end(self) -> None:
        if self._at != len(self._data):
            raise self.error(f"{len(self._data) - self._at} bytes left over")


def _layer(reader: _Reader, kind: int) -> Layer:
    if kind == _TAG_OR_SKIP:
        return TagOrSkip()
    name = reader.text()
    layer: Layer
    if name == "con_4":
        layer = _convolution(reader)
    elif name == "affine_":
        layer = _affine(reader)
    elif name == "relu_":
        layer = Relu()
    elif name == "max_pool_2":
        layer = MaxPool(reader.pair(), reader.pair(), reader.pair())
    elif name == "avg_pool_2":
        layer = AveragePool(reader.pair(), reader.pair(), reader.pair())
    elif name == "add_prev_":
        layer = AddPrevious()
    elif name == "fc_2":
        layer = _fully_connected(reader)
    else:
        raise reader.error(f"layer {name[:64]!r} is not known")

    for _ in range(3):
        reader.boolean()
    for _ in range(3):
        if reader.tensor().size:
            raise reader.error("training state where a published network has none")
    if kind == _LAYER_ON_INPUT:
        reader.integer()  # how many samples one image becomes: set anew when the network runs
    return layer


def _convolution(reader: _Reader) -> Convolution:
    values = reader.tensor().ravel()
    filters = reader.size()
    size, stride, padding = reader.pair(), reader.pair(), reader.pair()
    weights_shape, bias_shape = reader.shape(), reader.shape()
    _rates(reader, 4)
    count = math.prod(weights_shape)
    if (
        weights_shape[0] != filters
        or weights_shape[2:] != size
        or math.prod(bias_shape) != filters
        or count + filters != values.size
    ):
        raise reader.error(f"a convolution whose sizes do not agree: {weights_shape}, {values.size} numbers")
    return Convolution(values[:count].reshape(weights_shape), values[count:], stride, padding)


def _affine(reader: _Reader) -> Affine:
    values = reader.tensor().ravel()
    gamma_shape, beta_shape = reader.shape(), reader.shape()
    per_channel = reader.integer() == 0
    count = math.prod(gamma_shape)
    if (
        not per_channel
        or beta_shape != gamma_shape
        or gamma_shape != (1, count, 1, 1)
        or values.size != 2 * count
    ):
        raise reader.error(f"an affine layer that is not one pair of numbers per channel: {gamma_shape}")
    return Affine(values[:count], values[count:])


def _fully_connected(reader: _Reader) -> FullyConnected:
    outputs, inputs = reader.size(), reader.size()
    values = reader.tensor().ravel()
    reader.shape()
    reader.shape()
    has_bias = reader.integer() == 0
    _rates(reader, 4)
    if has_bias or values.size != inputs * outputs:
        raise reader.error(f"a fully connected layer that is not {inputs} x {outputs} without bias")
    return FullyConnected(values.reshape(inputs, outputs))


def _rates(reader: _Reader, count: int) -> None:
    """Learning rates and weight decays: of use in training only."""
    for _ in range(count):
        reader.real()
