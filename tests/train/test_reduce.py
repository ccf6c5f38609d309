"""Networks in float16 and int8: used like any, near to the whole one on crops that they were not calibrated on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from multiface.arrays import Pixels
from multiface.datasets.identities import identities_from_records
from multiface.errors import DataSetError, UsageError, WeightsError
from multiface.train.building import build_network
from multiface.train.export import TrainedNetwork, input_spec, to_onnx, write_onnx
from multiface.train.recipe import NetworkConfig
from multiface.train.reduce import crops_of, loss_of, to_float16, to_int8
from multiface.weights.session import Engine, open_session
from multiface.weights.store import Store
from tests.train.conftest import face, jpeg

CONFIGS = [
    NetworkConfig(width=0.25, embedding=32),
    NetworkConfig("vit", embedding=16, width=0.125, depth=12),
]


@pytest.fixture(scope="module")
def crops() -> Pixels:
    return np.stack([face(number // 4, number) for number in range(32)])


def whole_of(config: NetworkConfig, crops: Pixels) -> TrainedNetwork:
    """A network whose norms know the crops, so that faces are not all alike to it."""
    torch.manual_seed(3)
    network = build_network(config)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1)
    return TrainedNetwork(network.eval(), config, input_spec("rgb", network.embedding_size))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_fewer_bits_are_smaller_near_and_used_like_any(
    config: NetworkConfig, crops: Pixels, tmp_path: Path
) -> None:
    trained = whole_of(config, crops)
    whole = to_onnx(trained)
    seen, unseen = crops[::2], crops[1::2]
    found = [("float16", to_float16(whole), 0.6, 0.999)]
    if config.name != "vit":  # random weights tell faces apart by little: of int8 more cannot be asked
        found.append(("int8", to_int8(whole, seen, "rgb"), 0.7, 0.3))
    for bits, reduced, size, least in found:
        assert len(reduced) < size * len(whole), bits
        loss = loss_of(whole, reduced, unseen, "rgb")
        assert loss.crops == 16 and least < loss.smallest <= loss.mean < 1, (bits, loss)
        write_onnx(tmp_path / f"{bits}.onnx", reduced)
        store = Store(tmp_path / "store", tmp_path / "cache")
        file = store.embedder(str(tmp_path / f"{bits}.onnx"))
        assert file.spec == trained.spec
        session = open_session(store.any_batch(file), Engine(threads=1))
        given = np.zeros((3, 3, 112, 112), np.float32)
        (features,) = session.run(None, {"input": given})
        assert features.shape == (3, trained.spec.dimension) and features.dtype == np.float32


def test_int8_computes_in_int8_with_its_own_scales_and_repeats(crops: Pixels) -> None:
    whole = to_onnx(whole_of(CONFIGS[0], crops))
    reduced = to_int8(whole, crops[::2], "rgb")
    assert reduced == to_int8(whole, crops[::2], "rgb")
    assert reduced != to_int8(whole, crops[1::2] // 3, "rgb")  # scales are those of the crops
    graph = onnx.load_model_from_string(reduced).graph
    weights = {one.name: one for one in graph.initializer}
    small = [one for one in weights.values() if one.data_type == onnx.TensorProto.INT8 and len(one.dims) == 4]
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert convolutions and len(small) > len(convolutions) // 4
    assert not [node for node in graph.node if node.op_type == "BatchNormalization" and "conv" in node.name]


def test_ranges_are_means_over_the_crops(crops: Pixels) -> None:
    """Of what the network is fed: step and zero point by the formula, of crops one of which is much brighter."""
    seen = crops[:16] // 2
    seen[3] = 255
    whole = to_onnx(whole_of(CONFIGS[0], crops))
    graph = onnx.load_model_from_string(to_int8(whole, seen, "rgb")).graph
    (first,) = [one for one in graph.node if one.op_type == "QuantizeLinear" and one.input[0] == "input"]
    kept = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    fed = [(crop.astype(np.float64) - 127.5) / 127.5 for crop in seen]
    low, high = (min(np.mean([one.min() for one in fed]), 0), max(np.mean([one.max() for one in fed]), 0))
    assert kept[first.input[1]] == pytest.approx((high - low) / 255, rel=1e-5)
    assert int(kept[first.input[2]]) == round(-low / ((high - low) / 255))


def test_the_loss_is_what_a_literal_count_says(crops: Pixels) -> None:
    one, other = (to_onnx(whole_of(CONFIGS[0], part)) for part in (crops, crops[:16]))
    vectors = []
    for model in (one, other):
        session = open_session(model, Engine(threads=1))
        given = crops[:5].transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
        (features,) = session.run(None, {"input": given})
        vectors.append([row / np.linalg.norm(row) for row in features.astype(np.float64)])
    cosines = [float(a @ b) for a, b in zip(*vectors, strict=True)]
    shift = max(
        abs(vectors[0][i] @ vectors[0][j] - vectors[1][i] @ vectors[1][j])
        for i in range(5)
        for j in range(5)
        if i != j
    )
    loss = loss_of(one, other, crops[:5], "rgb")
    assert loss.mean == pytest.approx(np.mean(cosines), abs=1e-5)
    assert loss.smallest == pytest.approx(min(cosines), abs=1e-5)
    assert loss.shift == pytest.approx(shift, abs=1e-5)
    assert loss_of(one, one, crops[:1], "rgb").shift == 0


def test_weights_beyond_float16_and_too_few_crops_are_refused(
    crops: Pixels, tmp_path: Path, write_records: Callable[[Path, list[tuple[int, bytes]]], Path]
) -> None:
    trained = whole_of(CONFIGS[0], crops)
    with torch.no_grad():
        trained.network.linear.weight[0, 0] = 1e5  # type: ignore[union-attr,operator]
    with pytest.raises(WeightsError, match=r"linear.weight: has weights above 65504"):
        to_float16(to_onnx(trained))
    with pytest.raises(UsageError, match="16 crops or more"):
        to_int8(to_onnx(trained), crops[:15], "rgb")
    few = write_records(tmp_path / "few", [(k % 2, jpeg(face(k % 2, k))) for k in range(20)])
    with pytest.raises(DataSetError, match="found 20 crops"):
        crops_of(identities_from_records(few))
    broken = [(k % 3, jpeg(face(k % 3, k)) if k != 4 else b"none") for k in range(41)]
    seen, unseen = crops_of(identities_from_records(write_records(tmp_path / "more", broken)))
    assert (len(seen), len(unseen)) == (20, 20)
    assert not {one.tobytes() for one in seen} & {one.tobytes() for one in unseen}
