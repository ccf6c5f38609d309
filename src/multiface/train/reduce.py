"""A network in fewer bits: ONNX in float16, or in int8 with scales that are found on real crops; what is lost.

float16 halves the file; a GPU computes in it, a processor mostly turns it back. int8 quarters the file: convolutions
and linear layers multiply whole numbers of 8 bits, all else stays float32. Scales of weights are one a channel, those
of activations come from calibration: the least and the largest value that a layer gave for some crops (ONNX Runtime's
static quantisation, QDQ format; Jacob et al. 2018, arXiv:1712.05877), each the mean over the crops, so that a single
crop with an unusual value does not make all steps coarse. Weights keep to 7 bits: processors without VNNI add pairs of
products in 16 bits, which 8 and 8 bits overflow in silence (ONNX Runtime's documentation of quantization, "data type
selection"). Batch norms are first folded into the convolutions before them, so that they cost nothing.

Input and output stay float32, and the input spec stays in the file, so that it is used like any. It is another
embedder all the same: its vectors are near those of the whole network, not equal, and its fingerprint is another one.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from multiface.arrays import Floats, Pixels
from multiface.datasets.identities import IdentitySet
from multiface.errors import DataSetError, UsageError, WeightsError
from multiface.train.crops import decode_pixels
from multiface.train.step import to_input
from multiface.weights.session import Engine, open_session

Bits = Literal["float16", "int8"]

CALIBRATION_CROPS = 128
"""Crops that scales are found on; so many others show what is lost."""
LEAST_CROPS = 16
"""With fewer calibration crops a network is refused."""
_BATCH = 16


@dataclass(frozen=True, slots=True)
class Loss:
    """What fewer bits changed on crops that they were not calibrated on: cosines between the embeddings of the same
    crop. crops: how many. shift: the largest change of a cosine between two different crops, 0 for a single one.
    """

    crops: int
    mean: float
    smallest: float
    shift: float


def crops_of(pictures: IdentitySet) -> tuple[Pixels, Pixels]:
    """Crops to calibrate on and crops to measure on, uint8 (n, 112, 112, 3) each, at most CALIBRATION_CROPS; taken
    evenly from all of the set in turns, no picture twice.

    Raises DataSetError where there are too few that can be used.
    """
    wanted = np.unique(
        np.linspace(0, len(pictures) - 1, min(len(pictures), 2 * CALIBRATION_CROPS)).astype(int)
    )
    found: list[Pixels] = []
    for number in wanted:
        try:
            found.append(decode_pixels(pictures.read(int(number))))
        except DataSetError:
            continue
    if len(found) < 2 * LEAST_CROPS:
        raise DataSetError(
            f"found {len(found)} crops that can be used, wanted {2 * LEAST_CROPS} or more: half of them to calibrate "
            f"on, the others to measure what is lost (some {2 * CALIBRATION_CROPS} are enough)"
        )
    return np.stack(found[::2]), np.stack(found[1::2])


def to_float16(model: bytes) -> bytes:
    """A network as an ONNX file to the same with weights and sums in float16, fed and answering in float32.

    Raises WeightsError where a weight is too large for it.
    """
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    proto = onnx.load_model_from_string(model)
    for one in proto.graph.initializer:
        values = onnx.numpy_helper.to_array(one)
        if values.dtype == np.float32 and np.abs(values).max(initial=0) > np.finfo(np.float16).max:
            raise WeightsError(
                f"{one.name}: has weights above 65504, which float16 cannot hold", hint="use int8 or float32"
            )
    half = convert_float_to_float16(proto, keep_io_types=True)
    _sort(half.graph)  # its casts stand at the end
    return _checked(half, model)


def to_int8(model: bytes, crops: Pixels, colour: str) -> bytes:
    """A network as an ONNX file to the same with products in int8.

    crops: to calibrate on, uint8 (n, 112, 112, 3) RGB. colour: that the network is fed, "rgb" or "bgr".
    Raises UsageError for fewer than LEAST_CROPS.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if len(crops) < LEAST_CROPS:
        raise UsageError(f"int8 wants {LEAST_CROPS} crops or more to calibrate on, not {len(crops)}")

    name = onnx.load_model_from_string(model).graph.input[0].name

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Crop by crop, since ranges are averaged over these; ONNX Runtime asks for a class of this one."""

        def __init__(self) -> None:
            self._crops = iter(crops)

        def get_next(self) -> dict[str, Any] | None:
            crop = next(self._crops, None)
            return None if crop is None else {name: _fed(crop[None], colour)}

    with tempfile.TemporaryDirectory() as folder:
        whole, folded, small = (Path(folder) / name for name in ("whole.onnx", "folded.onnx", "int8.onnx"))
        whole.write_bytes(model)
        quant_pre_process(whole, folded, skip_symbolic_shape=True)
        quantize_static(
            folded,
            small,
            Reader(),
            op_types_to_quantize=["Conv", "Gemm", "MatMul"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"CalibMovingAverage": True},
        )
        return _checked(onnx.load(small), model)


def loss_of(whole: bytes, reduced: bytes, crops: Pixels, colour: str) -> Loss:
    """What a reduced network lost on crops, uint8 (n, 112, 112, 3) RGB, n at least 1."""
    wanted, got = (_embeddings(model, crops, colour) for model in (whole, reduced))
    cosines = (wanted * got).sum(1)
    shifts = np.abs(wanted @ wanted.T - got @ got.T)[~np.eye(len(crops), dtype=bool)]
    return Loss(len(crops), float(cosines.mean()), float(cosines.min()), float(shifts.max(initial=0)))


def _embeddings(model: bytes, crops: Pixels, colour: str) -> Floats:
    session = open_session(model, Engine(threads=torch.get_num_threads()))
    name, rows = session.get_inputs()[0].name, []
    for start in range(0, len(crops), _BATCH):
        (features,) = session.run(None, {name: _fed(crops[start : start + _BATCH], colour)})
        rows.append(features)
    found: Floats = np.concatenate(rows).astype(np.float64)
    if not np.isfinite(found).all():
        raise WeightsError("the reduced network gives numbers that are not finite", hint="use float32")
    length = np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    unit: Floats = found / length
    return unit


def _fed(crops: Pixels, colour: str) -> Floats:
    fed: Floats = to_input(torch.from_numpy(np.array(crops)), torch.device("cpu"), colour, False).numpy()
    return fed


def _checked(reduced: Any, model: bytes) -> bytes:
    """The file, with the metadata of the whole network."""
    import onnx

    whole = onnx.load_model_from_string(model)
    del reduced.metadata_props[:]
    reduced.metadata_props.extend(whole.metadata_props)
    reduced.producer_name = whole.producer_name
    onnx.checker.check_model(reduced)
    return bytes(reduced.SerializeToString(deterministic=True))


def _sort(graph: Any) -> None:
    """Nodes behind those whose outputs they take, otherwise in their order."""
    known = {one.name for one in (*graph.input, *graph.initializer)} | {""}
    waiting = [type(node).FromString(node.SerializeToString()) for node in graph.node]
    ordered = []
    while waiting:
        later = []
        for node in waiting:
            if known.issuperset(node.input):
                known.update(node.output)
                ordered.append(node)
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise WeightsError(f"{waiting[0].name}: has an input that no node gives")
        waiting = later
    del graph.node[:]
    graph.node.extend(ordered)
