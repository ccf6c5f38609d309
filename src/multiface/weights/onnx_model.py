"""Reading an ONNX model that somebody brings, and what its one image input looks like.

Only models that are whole in one file are taken: tensors kept in files beside the model ("external data")
are refused, so that a model never makes the reader open another path.

Source: the ONNX specification (docs/IR.md, docs/ExternalData.md).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from multiface.arrays import Floats
from multiface.errors import ExtraMissing, WeightsError, how_to_install

if TYPE_CHECKING:
    import onnx
    import onnxruntime


@dataclass(frozen=True, slots=True)
class ImageInput:
    """The image input of a model, float32 (batch, 3, height, width); None where a size is left free."""

    name: str
    batch: int | None
    height: int | None
    width: int | None


def parse_model(data: bytes) -> "onnx.ModelProto":
    """The model in these bytes.

    Raises WeightsError if they are no ONNX model or need other files, ExtraMissing without the package `onnx`.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            "to prepare these weights for any batch or size MultiFace needs the package onnx",
            hint=how_to_install("import"),
        ) from error
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise WeightsError(f"{len(data)} bytes: not an ONNX model ({error})") from error
    # Almost any bytes can be read as a protobuf message of fields that nobody knows.
    if not model.graph.node or not model.graph.output or not model.opset_import:
        raise WeightsError(f"{len(data)} bytes: not an ONNX model (no graph in it)")
    for tensor in chain(_tensors(model.graph), *(_tensors_of(one.node) for one in model.functions)):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise WeightsError(
                f"ONNX model: tensor {tensor.name!r} lies in another file (external data)",
                hint="save the model in one file and try again",
            )
    return model


def image_input(model: "onnx.ModelProto") -> ImageInput:
    """The one input of the model. Raises WeightsError unless it is float32 (batch, 3, height, width)."""
    from onnx import TensorProto

    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise WeightsError(
            f"ONNX model: one image input wanted, found {len(inputs)}: {[value.name for value in inputs]}"
        )
    tensor = inputs[0].type.tensor_type
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    if tensor.elem_type != TensorProto.FLOAT or len(sizes) != 4 or sizes[1] != 3:
        raise WeightsError(
            f"ONNX model: input {inputs[0].name!r} should be an image, float32 (batch, 3, height, width); "
            f"it is {TensorProto.DataType.Name(tensor.elem_type).lower()} {tuple(sizes)}"
        )
    if any(size is not None and size < 1 for size in sizes):
        raise WeightsError(f"ONNX model: input {inputs[0].name!r} has no pixels: {tuple(sizes)}")
    return ImageInput(inputs[0].name, sizes[0], sizes[2], sizes[3])


def run_network(session: "onnxruntime.InferenceSession", images: Floats) -> list[Floats]:
    """All outputs for these images (n, 3, h, w). Raises WeightsError if the network cannot run on them."""
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

    try:
        outputs = session.run(None, {session.get_inputs()[0].name: images})
    except (Fail, InvalidArgument, RuntimeException) as error:
        raise_memory_error(error)
        raise WeightsError(f"ONNX model: cannot run on an input of {images.shape}: {error}") from error
    for value, output in zip(session.get_outputs(), outputs, strict=True):
        if not isinstance(output, np.ndarray) or output.dtype != np.float32:
            raise WeightsError(f"ONNX model: output {value.name!r} is {value.type}, not float32")
        if not np.isfinite(output).all():
            raise WeightsError(f"ONNX model: output {value.name!r} holds numbers that are not finite")
    return list(outputs)


def raise_memory_error(error: Exception) -> None:
    """Raises MemoryError where ONNX Runtime got no memory: that is no fault of the network."""
    words = str(error)
    if "bad_alloc" in words or "Failed to allocate memory" in words:
        raise MemoryError(f"ONNX Runtime got no memory ({words})") from error


def _tensors(graph: "onnx.GraphProto") -> "Iterator[onnx.TensorProto]":
    """Every tensor of constants in a graph and in the graphs inside its nodes."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _tensors_of(graph.node)


def _tensors_of(nodes: "Iterable[onnx.NodeProto]") -> "Iterator[onnx.TensorProto]":
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _tensors(inner)
