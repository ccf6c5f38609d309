"""Makes height and width of an ONNX detector free, and proves that the result is still the same detector.

Meant for single-shot detectors of the SCRFD family that were exported for one size: the input is
(1, 3, height, width), every output (1, n, k) or (n, k), where n runs over rows, columns and anchors of a grid
over the picture. Their graphs often compute all sizes from their input and merely declare one; then
freeing the declaration is all that is needed. Where a size is built in, the result does not run at another
size or gives the wrong number of rows, and is refused.

The proof. At its own size the result must equal the original. A convolutional network sees a limited
surrounding: the first places of the grid, in the upper left corner, cannot tell whether the picture ends far
away or goes on. So on pictures twice as high and on pictures twice as wide the corner must equal the
original's on the part they share, and on smaller pictures, whose border is within sight, nearly so. The
number of places must follow the area.
"""

from typing import TYPE_CHECKING

import numpy as np

from multiface.arrays import Floats
from multiface.errors import WeightsError
from multiface.weights.onnx_model import image_input, parse_model, run_network
from multiface.weights.session import Engine, open_session

if TYPE_CHECKING:
    import onnx

STRIDE = 32
"""Height and width must be multiples of this (the coarsest grid of these detectors)."""

TOLERANCE = 1e-5
"""Largest difference to the original at its own size, and in the corner of larger pictures; in units of the
spread (largest minus smallest) of that output."""

TOLERANCE_SMALLER = 1e-2
"""The same in the corner of smaller pictures, where the border is within sight (2e-3 was measured)."""


def any_size(model: bytes) -> bytes:
    """The same detector for every size: the model itself where that is free, else as `make_size_dynamic`."""
    entry = image_input(parse_model(model))
    return model if entry.height is None and entry.width is None else make_size_dynamic(model)


def make_size_dynamic(model: bytes) -> bytes:
    """The same detector for every height and width that are multiples of 32; its batch stays 1.

    model: an ONNX model with one input, float32 (1 or free, 3, height, width), height and width fixed at
    multiples of 32 and at least 256.

    Raises WeightsError if the model is of another kind, or if the result differs from the original; the
    message tells what failed.
    """
    edited = parse_model(model)
    entry = image_input(edited)
    if entry.batch not in (None, 1):
        raise WeightsError(f"ONNX detector: a batch of 1 wanted, this one is fixed at {entry.batch}")
    if entry.height is None or entry.width is None:
        raise WeightsError(f"ONNX detector: input {entry.name!r} leaves its height or width free already")
    own = (entry.height, entry.width)
    if any(side % STRIDE or side < 256 for side in own):
        raise WeightsError(f"ONNX detector: a size of multiples of {STRIDE} from 256 on wanted, not {own}")

    _free_size(edited, entry.name)
    result = bytes(edited.SerializeToString(deterministic=True))
    _prove(model, result, own)
    return result


def _free_size(model: "onnx.ModelProto", name: str) -> None:
    """Edits the model in place: frees the declared height and width, and the places of every output."""
    graph = model.graph
    for value in graph.input:
        if value.name == name:
            value.type.tensor_type.shape.dim[2].dim_param = "height"
            value.type.tensor_type.shape.dim[3].dim_param = "width"
    for value in graph.output:
        dims = value.type.tensor_type.shape.dim
        if len(dims) not in (2, 3):
            raise WeightsError(
                f"ONNX detector: output {value.name!r} has {len(dims)} axes; (1, n, k) or (n, k) wanted"
            )
        dims[len(dims) - 2].dim_param = f"{value.name}_places"
    del graph.value_info[:]


def _prove(original: bytes, result: bytes, own: tuple[int, int]) -> None:
    height, width = own
    before, after = open_session(original, Engine()), open_session(result, Engine())
    half = (_whole(height / 2), _whole(width / 2))
    sizes = ((height, width), (2 * height, width), (height, 2 * width))
    smaller = ((height, _whole(0.6 * width)), (_whole(0.6 * height), width), half)
    for canvas in _canvases(2 * height, 2 * width):
        expected = [_rows(output) for output in run_network(before, _cut(canvas, own))]
        spreads = [max(float(np.ptp(output)), 1e-12) for output in expected]
        for size in (*sizes, *smaller):
            try:
                found = [_rows(output) for output in run_network(after, _cut(canvas, size))]
            except WeightsError as error:
                raise WeightsError(
                    f"ONNX detector: its size of {own} is built in, it fails at {size} ({error})",
                    hint="export it with dynamic height and width",
                ) from error
            allowed = TOLERANCE if size in sizes else TOLERANCE_SMALLER
            for number, (output, wanted, spread) in enumerate(zip(found, expected, spreads, strict=True)):
                if output.shape != (len(wanted) * size[0] * size[1] // (height * width), wanted.shape[1]):
                    raise WeightsError(
                        f"ONNX detector: its size of {own} is built in, output {number} is {output.shape} "
                        f"at {size}",
                        hint="export it with dynamic height and width",
                    )
                corner = _corner(len(wanted), own, size)
                difference = float(np.abs(output[:corner] - wanted[:corner]).max()) / spread
                if difference > allowed:
                    raise WeightsError(
                        f"ONNX detector: at {size} output {number} differs from the original at {own} by "
                        f"{difference:.1e} of its spread where both see the same (at most {allowed:.0e} "
                        "wanted); it depends on the size of the picture, use it at its own size"
                    )


def _corner(places: int, own: tuple[int, int], size: tuple[int, int]) -> int:
    """How many of the first rows of an output to compare: all at the own size; the upper eighth of the places
    where the width, and so the length of a grid row, is the same; else places that are surely on the first
    grid row and within the first eighth of it, for every stride from 8 on."""
    if size == own:
        return places
    if size[1] == own[1] and size[0] >= own[0]:
        return max(1, places // 8)
    return max(1, places // own[0])


def _rows(output: Floats) -> Floats:
    if output.ndim not in (2, 3) or output.size == 0:
        raise WeightsError(f"ONNX detector: an output of {output.shape}; (1, n, k) or (n, k) wanted")
    return output.reshape(-1, output.shape[-1])


def _canvases(height: int, width: int) -> tuple[Floats, Floats]:
    """Noise and waves, float32 (1, 3, height, width) in -1..1."""
    noise = np.random.default_rng(20250101).uniform(-1, 1, (1, 3, height, width))
    y, x = np.mgrid[0:height, 0:width] / 320.0
    channel = np.arange(3.0)[:, None, None]
    waves = np.sin(4 * x + 3 * y + channel) * np.cos(10 * y - 6 * x * channel)
    return noise.astype(np.float32), waves[None].astype(np.float32)


def _cut(canvas: Floats, size: tuple[int, int]) -> Floats:
    return np.ascontiguousarray(canvas[:, :, : size[0], : size[1]])


def _whole(side: float) -> int:
    return -(-int(side) // STRIDE) * STRIDE
