"""Makes the batch of an ONNX embedder free, and proves that the result is still the same embedder.

Many embedders are exported with the batch fixed at 1. Here the declared sizes are freed and the constants of
`Reshape` nodes that repeat the batch of 1 are corrected. That such an edit is right cannot be read off a
graph in general, so the result is run against the original: pictures one by one through the original, and in
batches of 1, 2 and 5, in several orders and companies, through the result. Embeddings must agree within
`TOLERANCE` of their length. A network that computes something over the batch (a mean over axis 0, a
quantisation range) fails there, as does every place where the batch of 1 is built in otherwise.

Source: the ONNX operators `Reshape` and `Constant` (opset 5 and later).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from multiface.arrays import Floats
from multiface.errors import WeightsError
from multiface.weights.onnx_model import ImageInput, image_input, parse_model, run_network
from multiface.weights.session import Engine, open_session

if TYPE_CHECKING:
    import onnx

TOLERANCE = 1e-5
"""Largest difference of a number in an embedding, in units of the embedding's length."""

_COMPANIES = ((0,), (1,), (2,), (3,), (4,), (0, 1), (1, 0), (2, 3), (4, 2), (0, 1, 2, 3, 4), (3, 4, 0, 2, 1))
"""Which of the five test pictures go through the network together."""


@dataclass(frozen=True, slots=True)
class BatchProof:
    """What was found while a batch was made free.

    output_dimension: length d of the embedding.
    max_difference: largest difference to the original, in units of the embedding's length; at most TOLERANCE.
    changed_nodes: names of the nodes that were corrected (declared sizes not counted).
    """

    output_dimension: int
    max_difference: float
    changed_nodes: tuple[str, ...]


def make_batch_dynamic(model: bytes) -> tuple[bytes, BatchProof]:
    """The same embedder with a free batch, and the proof of it.

    model: an ONNX model with one input, float32 (1 or free, 3, height, width), and one output, float32
        (n, d).
    A model whose batch is free already and right is returned as it is.

    Raises WeightsError if the model is none of these, or if the result differs from the original; the message
    tells what failed.
    """
    original = parse_model(model)
    entry = image_input(original)
    if len(original.graph.output) != 1:
        raise WeightsError(
            "ONNX embedder: one output wanted, found "
            f"{len(original.graph.output)}: {[value.name for value in original.graph.output]}"
        )
    if entry.batch not in (None, 1):
        raise WeightsError(
            f"ONNX embedder: a batch of 1 or a dynamic one wanted, this one is fixed at {entry.batch}"
        )
    if entry.height is None or entry.width is None:
        raise WeightsError(
            f"ONNX embedder: input {entry.name!r} leaves its height or width free; an embedder has one size"
        )
    expected = _one_by_one(model, entry)
    if entry.batch is None and _free_batch_is_right(model, expected, entry):
        return model, _proof(model, expected, entry, ())
    changed = _free_batch(original, entry)
    result = bytes(original.SerializeToString(deterministic=True))
    return result, _proof(result, expected, entry, changed)


def _free_batch_is_right(model: bytes, expected: Floats, entry: ImageInput) -> bool:
    """Whether a batch that is declared free is so in truth; exporters often free the declaration alone."""
    try:
        _proof(model, expected, entry, ())
    except WeightsError:
        return False
    return True


def _free_batch(model: "onnx.ModelProto", entry: ImageInput) -> tuple[str, ...]:
    """Edits the model in place; the names of the corrected nodes."""
    graph = model.graph
    for value in (*(value for value in graph.input if value.name == entry.name), *graph.output):
        dims = value.type.tensor_type.shape.dim
        if dims and not dims[0].dim_param:
            dims[0].dim_param = "batch"
    del graph.value_info[:]  # sizes of values in between, with the batch of 1 in them

    constants = _integer_constants(graph)
    of_image = {entry.name}  # values that depend on the image; reshaped weights stay as they are
    changed = []
    for position, node in enumerate(graph.node):
        if not of_image.intersection(node.input):
            continue
        of_image.update(node.output)
        if node.op_type != "Reshape" or node.domain not in ("", "ai.onnx") or node.input[0] not in of_image:
            continue
        shape = constants.get(node.input[1]) if len(node.input) == 2 else None
        if shape is None or len(shape) < 2 or shape[0] != 1:
            continue
        _correct(graph, node, shape)
        changed.append(node.name or f"Reshape number {position}")
    return tuple(changed)


def _correct(graph: "onnx.GraphProto", node: "onnx.NodeProto", shape: list[int]) -> None:
    """Reshape to (1, ...) becomes reshape to (batch, ...). One -1 is allowed: it is the batch if it is free,
    else the batch is 0, "as in the input", which `allowzero` would turn into "no rows"."""
    from onnx import numpy_helper

    if -1 in shape:
        if 0 not in shape:
            kept = [attribute for attribute in node.attribute if attribute.name != "allowzero"]
            del node.attribute[:]
            node.attribute.extend(kept)
        corrected = [0, *shape[1:]]
    else:
        corrected = [-1, *shape[1:]]
    taken = {tensor.name for tensor in graph.initializer} | {name for n in graph.node for name in n.output}
    name = f"{node.output[0]}.batch_free_shape"
    while name in taken:
        name += "_"
    # A constant of its own: the old one may serve other nodes too.
    graph.initializer.append(numpy_helper.from_array(np.array(corrected, np.int64), name))
    node.input[1] = name


def _integer_constants(graph: "onnx.GraphProto") -> dict[str, list[int]]:
    """One-dimensional int64 constants by name, be they weights or the output of a Constant node."""
    from onnx import TensorProto, numpy_helper

    tensors = {tensor.name: tensor for tensor in graph.initializer}
    constants: dict[str, list[int]] = {}
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    tensors[node.output[0]] = attribute.t
                elif attribute.name == "value_ints":
                    constants[node.output[0]] = list(attribute.ints)
    for name, tensor in tensors.items():
        if tensor.data_type == TensorProto.INT64 and len(tensor.dims) == 1 and tensor.dims[0] <= 16:
            constants[name] = [int(value) for value in numpy_helper.to_array(tensor)]
    return constants


def _pictures(entry: ImageInput) -> Floats:
    """Five pictures, float32 (5, 3, height, width): noise and structure, in the ranges -1..1 and 0..255."""
    height, width = entry.height or 0, entry.width or 0
    rng = np.random.default_rng(20250101)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    y, x, channel = y / height, x / width, np.arange(3.0)[:, None, None]
    waves = np.sin(7 * x + 4 * y + channel) * np.cos(15 * y - 9 * x * (channel + 1))
    board = ((8 * x).astype(int) + (8 * y).astype(int)) % 2 * (255.0 - 60 * channel)
    pictures = [
        rng.uniform(-1, 1, (3, height, width)),
        waves,
        rng.uniform(0, 255, (3, height, width)),
        board,
        127.5 + 127.5 * waves[:, ::-1],
    ]
    return np.stack(pictures).astype(np.float32)


def _one_by_one(model: bytes, entry: ImageInput) -> Floats:
    """Embeddings (5, d) of the test pictures, each alone through the original."""
    session = open_session(model, Engine())
    rows = []
    for picture in _pictures(entry):
        (output,) = run_network(session, picture[None])
        if output.ndim != 2 or output.shape[0] != 1:
            raise WeightsError(
                f"ONNX embedder: one picture should give (1, d), this one gives {output.shape}"
            )
        rows.append(output)
    embeddings = np.concatenate(rows)
    lengths = np.linalg.norm(embeddings, axis=1)
    if lengths.min() == 0:
        raise WeightsError("ONNX embedder: a test picture gives an embedding of zeros; not a face embedder")
    if np.abs(embeddings - embeddings[0]).max() <= TOLERANCE * lengths.max():
        raise WeightsError(
            "ONNX embedder: five different test pictures give one embedding; not a face embedder"
        )
    return embeddings


def _proof(model: bytes, expected: Floats, entry: ImageInput, changed: tuple[str, ...]) -> BatchProof:
    """Runs the model on batches; raises WeightsError where it differs from the original."""
    session = open_session(model, Engine())
    pictures = _pictures(entry)
    lengths = np.linalg.norm(expected, axis=1)
    largest = 0.0
    for company in _COMPANIES:
        index = list(company)
        try:
            (output,) = run_network(session, pictures[index])
        except WeightsError as error:
            raise WeightsError(
                f"ONNX embedder: the batch could not be made dynamic: it fails on a batch of {len(index)} "
                f"({error})",
                hint="export it with a dynamic batch axis",
            ) from error
        if output.shape != expected[index].shape:
            raise WeightsError(
                f"ONNX embedder: the batch could not be made dynamic: a batch of {len(index)} gives "
                f"{output.shape} where {expected[index].shape} was wanted",
                hint="export it with a dynamic batch axis",
            )
        difference = float((np.abs(output - expected[index]).max(axis=1) / lengths[index]).max())
        if difference > TOLERANCE:
            raise WeightsError(
                f"ONNX embedder: in a batch of {len(index)} an embedding differs from the one of the same "
                f"picture alone by {difference:.1e} of its length (at most {TOLERANCE:.0e} wanted): the "
                "network mixes the pictures of a batch, or is not deterministic; it cannot be used in batches"
            )
        largest = max(largest, difference)
    return BatchProof(expected.shape[1], largest, changed)
