"""Exported networks: equal to PyTorch, with a free batch, their spec inside; equal weights give equal
files.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from multiface.errors import WeightsError
from multiface.faces.embedder import Embedder
from multiface.faces.onnx_network import OnnxNetwork
from multiface.train.building import build_network
from multiface.train.export import (
    TrainedNetwork,
    check_agreement,
    export,
    input_spec,
    read_original,
    read_trained,
    to_onnx,
    weights_sha256,
    write_safetensors,
)
from multiface.train.recipe import NetworkConfig
from multiface.train.validation import embed_crops
from multiface.weights.session import Engine, open_session
from multiface.weights.spec import InputSpec
from multiface.weights.store import Store
from tests.drawn_faces import PEOPLE, drawn_face

CONFIGS = [
    NetworkConfig(width=0.25, embedding=32),
    NetworkConfig(width=0.25, embedding=32, squeeze_excitation=True),
    NetworkConfig("ir", depth=18),
    NetworkConfig("ir_se", depth=18),
]


def trained(config: NetworkConfig, colour: str = "rgb") -> TrainedNetwork:
    torch.manual_seed(3)
    network = build_network(config)
    for name, value in network.state_dict().items():  # statistics and slopes as after training
        if "running" in name or name.endswith(("bn.weight", "bn.bias")):
            value.add_(0.2 * torch.rand_like(value))
    return TrainedNetwork(network.eval(), config, input_spec(colour, network.embedding_size))


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """Eight faces, (8, 112, 112, 3): pictures of noise would look all alike to a network."""
    faces = [drawn_face(name, take)[30:190, 20:180] for name in PEOPLE for take in (0, 1)]
    return np.stack([np.asarray(Image.fromarray(face).resize((112, 112))) for face in faces])


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.name}{c.squeeze_excitation}")
def test_onnx_gives_what_pytorch_gives(
    config: NetworkConfig, colour: str, crops: np.ndarray, tmp_path: Path
) -> None:
    if colour == "bgr" and config.name != "mobilefacenet":
        pytest.skip("one network is enough for the other colour order")
    one = trained(config, colour)
    assert export(tmp_path / "net.onnx", one, crops) > 0.999999
    file = Store(tmp_path / "store", tmp_path / "cache").embedder(str(tmp_path / "net.onnx"))
    assert file.spec == one.spec
    embedder = Embedder(
        OnnxNetwork(open_session(file.path, Engine(threads=1)), file.spec, "net", file.fingerprint)
    )
    wanted = embed_crops(one.network, crops, colour, True, torch.device("cpu")).numpy()
    assert np.abs(embedder.embed(crops, flip=True) - wanted).max() < 1e-5
    model = onnx.load(tmp_path / "net.onnx")
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "n"
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert InputSpec.from_json(about["multiface.spec"]) == one.spec
    assert about["multiface.weights"] == weights_sha256(one.network.state_dict())


def test_a_file_is_read_back_and_equal_weights_give_equal_files(tmp_path: Path) -> None:
    one = trained(CONFIGS[1])
    for name in ("a", "b"):
        write_safetensors(tmp_path / f"{name}.safetensors", one)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert to_onnx(one) == to_onnx(one)
    back = read_trained(tmp_path / "a.safetensors")
    assert (back.config, back.spec) == (one.config, one.spec)
    state = back.network.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in one.network.state_dict().items())
    other = trained(CONFIGS[1])
    with torch.no_grad():
        other.network.linear.weight[0, 0] += 1
    assert weights_sha256(other.network.state_dict()) != weights_sha256(state)


def test_a_network_that_differs_is_refused(crops: np.ndarray) -> None:
    one = trained(CONFIGS[0])
    model = to_onnx(one)
    with torch.no_grad():
        one.network.linear.weight.mul_(-50)
    with pytest.raises(WeightsError, match="differs from the trained one"):
        check_agreement(model, one, crops)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"wanted the folder of a run with best.safetensors"):
        read_trained(tmp_path)
    with pytest.raises(WeightsError, match="no such file"):
        read_trained(tmp_path / "nothing.safetensors")
    from safetensors.torch import save_file

    save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="does not say which network"):
        read_trained(tmp_path / "a.safetensors")
    one = trained(CONFIGS[0])
    wrong = dataclasses.replace(one, config=NetworkConfig(width=0.5, embedding=32))
    write_safetensors(tmp_path / "b.safetensors", wrong)
    with pytest.raises(WeightsError, match="does not fit the network"):
        read_trained(tmp_path / "b.safetensors")


def test_a_model_file_of_the_original_becomes_weights(tmp_path: Path) -> None:
    one = trained(NetworkConfig(embedding=64), "bgr")
    torch.save({f"module.{k}": v for k, v in one.network.state_dict().items()}, tmp_path / "model.pth")
    found = read_original(tmp_path / "model.pth", NetworkConfig(), "bgr")
    assert found.config.embedding == 64 and found.spec == one.spec
    assert to_onnx(found) == to_onnx(one)
    with pytest.raises(WeightsError, match="does not fit"):
        read_original(tmp_path / "model.pth", NetworkConfig("ir", depth=18), "bgr")


def test_metadata_of_safetensors_is_one_json_object(tmp_path: Path) -> None:
    from safetensors import safe_open

    one = trained(CONFIGS[0])
    write_safetensors(tmp_path / "a.safetensors", one)
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        about = json.loads(file.metadata()["multiface"])
    assert set(about) == {"network", "spec", "weights"} and about["network"]["width"] == 0.25


def test_a_network_that_answers_with_no_number_is_refused(crops: np.ndarray, tmp_path: Path) -> None:
    one = trained(CONFIGS[0])
    for value in one.network.state_dict().values():
        if value.is_floating_point():
            value.fill_(float("nan"))
    with pytest.raises(WeightsError, match="not finite"):
        export(tmp_path / "net.onnx", one, crops)
    assert not (tmp_path / "net.onnx").exists()
