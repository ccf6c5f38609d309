"""Freeing the batch: a real network, small networks built here, and those that must be refused."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from multiface.errors import WeightsError
from multiface.weights.dynamic_batch import make_batch_dynamic
from multiface.weights.onnx_model import parse_model
from multiface.weights.session import Engine, open_session

Tensor = npt.NDArray[Any]

RNG = np.random.default_rng(3)
CONV = RNG.normal(size=(8, 3, 3, 3)).astype(np.float32) / 5
DENSE = RNG.normal(size=(8 * 7 * 7, 6)).astype(np.float32) / 20


def model(
    nodes: Sequence[Any],
    weights: dict[str, Tensor],
    image: Sequence[int | str | None] = (1, 3, 16, 16),
    result: Sequence[int | str | None] | None = (1, 6),
    extra_inputs: Sequence[Any] = (),
    extra_outputs: Sequence[Any] = (),
) -> bytes:
    graph = helper.make_graph(
        list(nodes),
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image), *extra_inputs],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, result), *extra_outputs],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString())


def node(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    return helper.make_node(operator, list(inputs), [output], name=output + "_node", **attributes)


CONV_NODE = node("Conv", ["image", "conv"], "features", kernel_shape=[3, 3], strides=[2, 2])  # (n, 8, 7, 7)
DENSE_NODE = node("MatMul", ["flat", "dense"], "out")
WEIGHTS: dict[str, Tensor] = {"conv": CONV, "dense": DENSE}


def with_reshape(shape: Sequence[int], constant_node: bool = False, **attributes: Any) -> bytes:
    """Convolution, Reshape by a constant, matrix."""
    values = np.array(shape, np.int64)
    weights, nodes = dict(WEIGHTS), [CONV_NODE]
    if constant_node:
        nodes.append(node("Constant", [], "shape", value=numpy_helper.from_array(values)))
    else:
        weights["shape"] = values
    nodes += [node("Reshape", ["features", "shape"], "flat", **attributes), DENSE_NODE]
    return model(nodes, weights)


def literal(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The small network as loops over places and filters."""
    out = np.zeros((len(images), 8, 7, 7))
    for f in range(8):
        for y in range(7):
            for x in range(7):
                patch = images[:, :, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
                out[:, f, y, x] = (patch * CONV[f]).sum(axis=(1, 2, 3))
    return (out.reshape(len(images), -1) @ DENSE).astype(np.float32)


def run(data: bytes, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    session = open_session(data, Engine())
    result: npt.NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: images})[0]
    return result


@pytest.mark.parametrize(
    "data",
    [
        with_reshape([1, -1]),
        with_reshape([1, 392]),
        with_reshape([1, -1], constant_node=True),
        with_reshape([1, 392], constant_node=True),
        with_reshape([1, -1], allowzero=1),
        with_reshape([1, 392], allowzero=1),
    ],
    ids=["minus_one", "sizes", "node_minus_one", "node_sizes", "allowzero", "allowzero_sizes"],
)
def test_a_reshape_that_repeats_the_batch(data: bytes) -> None:
    free, proof = make_batch_dynamic(data)
    assert proof.output_dimension == 6
    assert proof.changed_nodes == ("flat_node",)
    assert proof.max_difference <= 1e-5
    images = RNG.uniform(-1, 1, (7, 3, 16, 16)).astype(np.float32)
    np.testing.assert_allclose(run(free, images), literal(images), atol=1e-5)
    session = open_session(free, Engine())
    assert isinstance(session.get_inputs()[0].shape[0], str)
    assert isinstance(session.get_outputs()[0].shape[0], str)


def test_flatten_needs_no_change_beyond_the_declared_sizes() -> None:
    data = model([CONV_NODE, node("Flatten", ["features"], "flat", axis=1), DENSE_NODE], WEIGHTS)
    free, proof = make_batch_dynamic(data)
    assert proof.changed_nodes == ()
    images = RNG.uniform(-1, 1, (3, 3, 16, 16)).astype(np.float32)
    np.testing.assert_allclose(run(free, images), literal(images), atol=1e-5)


def test_a_reshape_of_weights_and_a_shared_constant_are_left_alone() -> None:
    """One constant (1, 8, 7, 7) shapes a weight, which must keep its 1, and the features, which must not."""
    weights = {**WEIGHTS, "bias": np.arange(392, dtype=np.float32), "shape": np.array([1, 8, 7, 7], np.int64)}
    nodes = [
        CONV_NODE,
        node("Reshape", ["bias", "shape"], "plane"),
        node("Reshape", ["features", "shape"], "again"),
        node("Add", ["again", "plane"], "sum"),
        node("Flatten", ["sum"], "flat", axis=1),
        DENSE_NODE,
    ]
    free, proof = make_batch_dynamic(model(nodes, weights))
    assert proof.changed_nodes == ("again_node",)
    images = RNG.uniform(-1, 1, (4, 3, 16, 16)).astype(np.float32)
    wanted = literal(images) + np.arange(392, dtype=np.float32) @ DENSE
    np.testing.assert_allclose(run(free, images), wanted, rtol=1e-5, atol=1e-3)


def test_a_batch_that_is_free_already_is_proven_and_returned_as_it_is() -> None:
    data = model(
        [CONV_NODE, node("Flatten", ["features"], "flat", axis=1), DENSE_NODE],
        WEIGHTS,
        image=("n", 3, 16, 16),
        result=("n", 6),
    )
    free, proof = make_batch_dynamic(data)
    assert free == data
    assert proof.changed_nodes == ()
    again, _ = make_batch_dynamic(make_batch_dynamic(with_reshape([1, -1]))[0])
    assert run(again, np.ones((5, 3, 16, 16), np.float32)).shape == (5, 6)


def test_a_batch_that_is_only_declared_free_is_mended() -> None:
    nodes = [CONV_NODE, node("Reshape", ["features", "shape"], "flat"), DENSE_NODE]
    weights = {**WEIGHTS, "shape": np.array([1, 392], np.int64)}
    free, proof = make_batch_dynamic(model(nodes, weights, image=(None, 3, 16, 16), result=(None, 6)))
    assert proof.changed_nodes == ("flat_node",)
    assert run(free, np.ones((5, 3, 16, 16), np.float32)).shape == (5, 6)


def test_mobilefacenet(shared: Path) -> None:
    data = (shared / "data" / "weights" / "mobilefacenet_128_ms1m.onnx").read_bytes()
    free, proof = make_batch_dynamic(data)
    assert proof.output_dimension == 128
    assert proof.changed_nodes == ("/Reshape",)
    assert proof.max_difference <= 1e-5
    images = RNG.uniform(-2, 2, (6, 3, 112, 112)).astype(np.float32)
    together = run(free, images)
    alone = np.concatenate([run(data, images[k : k + 1]) for k in range(6)])
    np.testing.assert_allclose(together, alone, atol=1e-5 * np.linalg.norm(alone, axis=1).min())
    assert make_batch_dynamic(data)[0] == free


# What must be refused.


def test_a_mean_over_the_batch_is_refused() -> None:
    """With one picture nobody sees it: x + mean(x, axis 0) / 100 is then 1.01 x."""
    nodes = [
        CONV_NODE,
        node("Flatten", ["features"], "flat", axis=1),
        node("MatMul", ["flat", "dense"], "e"),
        node("ReduceMean", ["e"], "m", axes=[0], keepdims=1),
        node("Mul", ["m", "little"], "p"),
        node("Add", ["e", "p"], "out"),
    ]
    weights = {**WEIGHTS, "little": np.array([0.01], np.float32)}
    with pytest.raises(WeightsError, match="mixes the pictures of a batch"):
        make_batch_dynamic(model(nodes, weights))


def test_a_quantisation_range_over_the_batch_is_refused() -> None:
    nodes = [
        node("DynamicQuantizeLinear", ["image"], "q"),
        CONV_NODE,
        node("Flatten", ["features"], "flat", axis=1),
        DENSE_NODE,
    ]
    del nodes[0].output[:]
    nodes[0].output.extend(["q", "scale", "zero"])
    nodes.insert(1, node("DequantizeLinear", ["q", "scale", "zero"], "real"))
    conv = helper.make_node("Conv", ["real", "conv"], ["features"], kernel_shape=[3, 3], strides=[2, 2])
    nodes[2] = conv
    with pytest.raises(WeightsError, match="mixes the pictures of a batch"):
        make_batch_dynamic(model(nodes, WEIGHTS))


def test_a_batch_built_into_an_expand_is_refused() -> None:
    """A class token of one row is put before the places of every picture, as vision transformers do."""
    nodes = [
        CONV_NODE,
        node("Reshape", ["features", "places"], "rows"),
        node("Expand", ["token", "one"], "tokens"),
        node("Concat", ["tokens", "rows"], "all", axis=1),
        node("Flatten", ["all"], "flat", axis=1),
        node("MatMul", ["flat", "wide"], "out"),
    ]
    weights = {
        **WEIGHTS,
        "places": np.array([1, 49, 8], np.int64),
        "token": np.ones((1, 1, 8), np.float32),
        "one": np.array([1, 1, 8], np.int64),
        "wide": RNG.normal(size=(400, 6)).astype(np.float32),
    }
    with pytest.raises(WeightsError, match="fails on a batch of 2"):
        make_batch_dynamic(model(nodes, weights))


def test_a_reshape_that_folds_the_batch_away_is_refused() -> None:
    nodes = [
        CONV_NODE,
        node("Reshape", ["features", "shape"], "flat2"),
        node("MatMul", ["flat2", "dense"], "row"),
        node("Unsqueeze", ["row", "axis"], "out"),
    ]
    weights = {**WEIGHTS, "shape": np.array([392], np.int64), "axis": np.array([0], np.int64)}
    with pytest.raises(WeightsError, match="fails on a batch of 2"):
        make_batch_dynamic(model(nodes, weights))


def test_an_output_that_is_not_rows_of_numbers_is_refused() -> None:
    conv = node("Conv", ["image", "conv"], "out", kernel_shape=[3, 3], strides=[2, 2])
    with pytest.raises(WeightsError, match=r"should give \(1, d\), this one gives \(1, 8, 7, 7\)"):
        make_batch_dynamic(model([conv], {"conv": CONV}, result=(1, 8, 7, 7)))


def test_two_inputs_are_refused() -> None:
    nodes = [CONV_NODE, node("Flatten", ["features"], "f", axis=1), node("Add", ["f", "other"], "out")]
    other = helper.make_tensor_value_info("other", TensorProto.FLOAT, (1, 392))
    with pytest.raises(WeightsError, match=r"one image input wanted, found 2: \['image', 'other'\]"):
        make_batch_dynamic(model(nodes, {"conv": CONV}, result=(1, 392), extra_inputs=[other]))


def test_two_outputs_are_refused() -> None:
    nodes = [CONV_NODE, node("Flatten", ["features"], "flat", axis=1), DENSE_NODE]
    flat = helper.make_tensor_value_info("flat", TensorProto.FLOAT, (1, 392))
    with pytest.raises(WeightsError, match=r"one output wanted, found 2: \['out', 'flat'\]"):
        make_batch_dynamic(model(nodes, WEIGHTS, extra_outputs=[flat]))


@pytest.mark.parametrize(
    "image", [(1, 392), (1, 1, 16, 16), (1, 16, 16, 3), (1, 3, 16), (None, None, 16, 16)]
)
def test_an_input_that_is_no_image_is_refused(image: Sequence[int | None]) -> None:
    with pytest.raises(WeightsError, match=r"should be an image, float32 \(batch, 3, height, width\)"):
        make_batch_dynamic(model([node("Relu", ["image"], "out")], {}, image=image, result=None))


def test_sizes_that_are_not_fixed_are_refused() -> None:
    nodes = [CONV_NODE, node("GlobalAveragePool", ["features"], "p"), node("Flatten", ["p"], "out", axis=1)]
    with pytest.raises(WeightsError, match="leaves its height or width free"):
        make_batch_dynamic(model(nodes, {"conv": CONV}, image=(1, 3, "h", "w"), result=(1, 8)))


def test_a_batch_fixed_at_four_is_refused() -> None:
    nodes = [CONV_NODE, node("Flatten", ["features"], "flat", axis=1), DENSE_NODE]
    with pytest.raises(WeightsError, match="fixed at 4"):
        make_batch_dynamic(model(nodes, WEIGHTS, image=(4, 3, 16, 16), result=(4, 6)))


def test_a_network_that_ignores_its_picture_is_refused() -> None:
    """Its rows cannot influence each other, but nothing is proven by that."""
    nodes = [CONV_NODE, node("Flatten", ["features"], "flat", axis=1), node("MatMul", ["flat", "zero"], "z")]
    nodes.append(node("Add", ["z", "one"], "out"))
    weights: dict[str, Tensor] = {
        "conv": CONV,
        "zero": np.zeros((392, 6), np.float32),
        "one": np.ones(6, np.float32),
    }
    with pytest.raises(WeightsError, match="one embedding"):
        make_batch_dynamic(model(nodes, weights))


def test_numbers_that_are_not_finite_are_refused() -> None:
    nodes = [
        CONV_NODE,
        node("Flatten", ["features"], "flat", axis=1),
        node("MatMul", ["flat", "dense"], "e"),
        node("Log", ["e"], "out"),
    ]
    with pytest.raises(WeightsError, match="not finite"):
        make_batch_dynamic(model(nodes, {**WEIGHTS, "dense": -np.abs(DENSE) * 0 - 1}))


@pytest.mark.parametrize("data", [b"", b"\x00" * 64, b"PK\x03\x04" + b"x" * 200, b"\x08\x07", b"not a model"])
def test_bytes_that_are_no_model_are_refused(data: bytes) -> None:
    with pytest.raises(WeightsError, match="not an ONNX model"):
        make_batch_dynamic(data)


def test_a_truncated_model_is_refused() -> None:
    data = with_reshape([1, -1])
    for length in (10, len(data) // 2, len(data) - 1):
        with pytest.raises(WeightsError):
            make_batch_dynamic(data[:length])


def test_external_data_is_refused() -> None:
    """In a weight and in a constant node; the named file exists, so that only the refusal can stop it."""
    loaded = onnx.load_model_from_string(with_reshape([1, -1], constant_node=True))
    constant = next(n for n in loaded.graph.node if n.op_type == "Constant").attribute[0].t
    for tensor in (loaded.graph.initializer[0], constant):
        changed = onnx.ModelProto()
        saved = tensor.SerializeToString()
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=Path(__file__).name)
        changed.CopyFrom(loaded)
        tensor.ParseFromString(saved)
        with pytest.raises(WeightsError, match="external data"):
            make_batch_dynamic(changed.SerializeToString())


def test_external_data_inside_a_function_is_refused() -> None:
    loaded = onnx.load_model_from_string(with_reshape([1, -1]))
    tensor = onnx.helper.make_tensor("c", TensorProto.FLOAT, [1], [0.0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=Path(__file__).name)
    inside = onnx.helper.make_node("Constant", [], ["y"], value=tensor)
    loaded.functions.append(
        onnx.helper.make_function("ours", "Hidden", [], ["y"], [inside], loaded.opset_import)
    )
    with pytest.raises(WeightsError, match="external data"):
        make_batch_dynamic(loaded.SerializeToString())


def in_branch(tensor: Any) -> Any:
    """In a branch of an `If` inside a branch of an `If`."""
    graph = helper.make_graph([helper.make_node("Constant", [], ["y"], value=tensor)], "inner", [], [])
    for depth in range(2):
        whole = helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph([whole], f"outer {depth}", [], [])
    return graph.node[0]


def in_weights_of_a_branch(tensor: Any) -> Any:
    graph = helper.make_graph([], "inner", [], [], [tensor])
    return helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)


def in_a_list_of_graphs(tensor: Any) -> Any:
    graph = helper.make_graph([], "inner", [], [], [tensor])
    return helper.make_node("Ours", [], ["y"], graphs=[graph])


def in_a_list_of_tensors(tensor: Any) -> Any:
    return helper.make_node("Ours", [], ["y"], tensors=[tensor])


def in_sparse_weights(tensor: Any) -> Any:
    graph = helper.make_graph([], "inner", [], [])
    graph.sparse_initializer.add().values.CopyFrom(tensor)
    graph.sparse_initializer.add().indices.CopyFrom(tensor)
    return helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)


HIDDEN = [in_branch, in_weights_of_a_branch, in_a_list_of_graphs, in_a_list_of_tensors, in_sparse_weights]


@pytest.mark.parametrize("hidden", HIDDEN)
def test_external_data_is_found_wherever_it_hides(hidden: Callable[[Any], Any]) -> None:
    """The named file exists, so that only the refusal can stop it; the same network without it is taken."""
    for external in (False, True):
        loaded = onnx.load_model_from_string(with_reshape([1, -1]))
        tensor = helper.make_tensor("hidden", TensorProto.FLOAT, [1], [0.0])
        if external:
            tensor.ClearField("float_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=Path(__file__).name)
        loaded.graph.node.append(hidden(tensor))
        if external:
            with pytest.raises(WeightsError, match="'hidden' lies in another file"):
                parse_model(loaded.SerializeToString())
        else:
            parse_model(loaded.SerializeToString())


@pytest.mark.parametrize("mark", ["the location", "the entries"])
def test_half_a_mark_of_external_data_is_enough(mark: str) -> None:
    loaded = onnx.load_model_from_string(with_reshape([1, -1]))
    if mark == "the location":
        loaded.graph.initializer[0].data_location = TensorProto.EXTERNAL
    else:
        loaded.graph.initializer[0].external_data.add(key="location", value=Path(__file__).name)
    with pytest.raises(WeightsError, match="external data"):
        parse_model(loaded.SerializeToString())


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(WeightsError, match="cannot run this as a network"):
        make_batch_dynamic(model([node("NoSuchThing", ["image"], "out")], {}))
