"""IResNet as arcface_torch has it: against the literal formula, and weights read from its kinds of file."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, linear, prelu

from multiface.errors import UsageError, WeightsError
from multiface.train.arcface_checkpoint import load_onnx
from multiface.train.building import build_network
from multiface.train.export import TrainedNetwork, input_spec, read_original, to_onnx
from multiface.train.fine_tune import load_start
from multiface.train.networks.arc_iresnet import ArcIResNet
from multiface.train.recipe import NetworkConfig, StartConfig
from multiface.train.step import freeze

BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 14, 3)}
CONFIG = NetworkConfig("iresnet", embedding=64, depth=18, dropout=0.0)


def filled(depth: int = 18, size: int = 64) -> ArcIResNet:
    """A network whose every number is another one, batch norms' statistics too."""
    torch.manual_seed(3)
    network = ArcIResNet(depth, size).eval()
    for module in network.modules():
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.BatchNorm1d)):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
            if module is not network.norm:
                torch.nn.init.uniform_(module.weight, 0.3, 0.6)
        elif isinstance(module, torch.nn.Conv2d):
            torch.nn.init.normal_(module.weight, 0, (2 / module.weight[0].numel()) ** 0.5)
        elif isinstance(module, torch.nn.PReLU):
            torch.nn.init.uniform_(module.weight, 0.1, 0.4)
    return network


def published(network: ArcIResNet) -> dict[str, Tensor]:
    """The state dictionary as arcface_torch writes it."""
    return {
        f"features.{name.removeprefix('norm.')}" if name.startswith("norm.") else name: value
        for name, value in network.state_dict().items()
    }


def literal(state: dict[str, Tensor], x: Tensor, blocks: tuple[int, ...]) -> Tensor:
    """The published network, written out with the published names."""

    def norm(name: str, x: Tensor) -> Tensor:
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"], False, 0, 1e-5)

    x = prelu(norm("bn1", conv2d(x, state["conv1.weight"], padding=1)), state["prelu.weight"])
    for stage, count in enumerate(blocks, 1):
        for number in range(count):
            name, stride = f"layer{stage}.{number}", 2 if number == 0 else 1
            out = norm(
                f"{name}.bn2", conv2d(norm(f"{name}.bn1", x), state[f"{name}.conv1.weight"], padding=1)
            )
            out = prelu(out, state[f"{name}.prelu.weight"])
            out = norm(f"{name}.bn3", conv2d(out, state[f"{name}.conv2.weight"], stride=stride, padding=1))
            if number == 0:
                x = norm(f"{name}.downsample.1", conv2d(x, state[f"{name}.downsample.0.weight"], stride=2))
            x = out + x
    flat = norm("bn2", x).flatten(1)
    return norm("features", linear(flat, state["fc.weight"], state["fc.bias"]))


def pictures(count: int = 2) -> Tensor:
    return torch.rand(count, 3, 112, 112, generator=torch.Generator().manual_seed(1)) * 2 - 1


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5 * float(b.abs().max()))


@torch.no_grad()
@pytest.mark.parametrize("depth", [18, 50])
def test_a_network_is_the_literal_formula_and_reads_published_files(tmp_path: Path, depth: int) -> None:
    network = filled(depth)
    state = published(network)
    wanted = literal(state, pictures(), BLOCKS[depth])
    close(network.features(pictures()), wanted)
    torch.save({f"module.{name}": value for name, value in state.items()}, tmp_path / "model.pt")
    trained = read_original(tmp_path / "model.pt", NetworkConfig("iresnet", depth=depth, dropout=0.0), "rgb")
    assert trained.spec.dimension == 64 and trained.spec.colour == "rgb"
    close(trained.network.features(pictures()), wanted)


def test_a_new_network_begins_as_the_published_one() -> None:
    network = build_network(NetworkConfig("iresnet", depth=50, dropout=0.0))
    assert isinstance(network, ArcIResNet) and sum(1 for _ in network.units) == 24
    parameters = sum(p.numel() for p in network.parameters())
    assert round(parameters / 1e6, 2) == 43.59  # as published for R50
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            assert float(module.weight.detach().std()) == pytest.approx(0.1, rel=0.05)
    assert not network.norm.weight.requires_grad and bool((network.norm.weight == 1).all())
    freeze(network, StartConfig("some", backbone_rate=0.0))
    learning = {name for name, p in network.named_parameters() if p.requires_grad}
    assert learning == {"fc.weight", "fc.bias", "norm.bias"}


def fused(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with each batch norm behind a convolution folded into it, as exporters leave it."""
    values = {one.name: one for one in model.graph.initializer}
    array = {name: numpy_helper.to_array(one).astype(np.float64) for name, one in values.items()}
    made_by = {node.output[0]: node for node in model.graph.node}
    for norm in [node for node in model.graph.node if node.op_type == "BatchNormalization"]:
        conv = made_by.get(norm.input[0])
        if conv is None or conv.op_type != "Conv":
            continue
        weight, bias, mean, var = (array[name] for name in norm.input[1:])
        factor = weight / np.sqrt(var + 1e-5)
        kernel = conv.input[1]
        values[kernel].CopyFrom(
            numpy_helper.from_array((array[kernel] * factor[:, None, None, None]).astype(np.float32), kernel)
        )
        added = numpy_helper.from_array((bias - mean * factor).astype(np.float32), f"{kernel}.added")
        model.graph.initializer.append(added)
        conv.input.append(added.name)
        conv.output[0] = norm.output[0]
        model.graph.node.remove(norm)
    return model


@torch.no_grad()
@pytest.mark.parametrize("folded", [False, True], ids=["as it is", "folded"])
def test_an_onnx_file_answers_the_same_when_it_has_been_read(tmp_path: Path, folded: bool) -> None:
    """Outside oracle: ONNX Runtime on the file itself."""
    network = filled()
    model = onnx.load_model_from_string(to_onnx(TrainedNetwork(network, CONFIG, input_spec("rgb", 64))))
    if folded:
        before = len(model.graph.node)
        model = fused(model)
        assert len(model.graph.node) == before - 1 - 8 * 2 - 4
    onnx.save(model, tmp_path / "r18.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "r18.onnx", providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"input": pictures().numpy()})
    read = build_network(CONFIG)
    load_start(read, tmp_path / "r18.onnx", "rgb")
    close(read.eval().features(pictures()), torch.from_numpy(wanted))
    close(read.features(pictures()), network.features(pictures()))


def test_files_of_other_networks_are_refused_and_change_nothing(tmp_path: Path, shared: Path) -> None:
    network = filled()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    other = shared / "data" / "weights" / "mobilefacenet_128_ms1m.onnx"
    (tmp_path / "broken.onnx").write_bytes(b"\x08\xff\xff")
    (tmp_path / "deeper.onnx").write_bytes(
        to_onnx(TrainedNetwork(filled(50), NetworkConfig("iresnet", depth=50), input_spec("rgb", 64)))
    )
    with pytest.raises(WeightsError, match="is no IResNet as this one"):
        load_onnx(network, other)
    with pytest.raises(WeightsError, match=r"layer2\.0\.conv1.* is .*, wanted .*; is it of another depth"):
        load_onnx(network, tmp_path / "deeper.onnx")
    with pytest.raises(WeightsError, match="is not an ONNX file"):
        load_onnx(network, tmp_path / "broken.onnx")
    with pytest.raises(WeightsError, match="no such file"):
        load_onnx(network, tmp_path / "none.onnx")
    with pytest.raises(WeightsError, match="as an iresnet only"):
        load_start(build_network(NetworkConfig(width=0.1)), tmp_path / "deeper.onnx", "rgb")
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize(("name", "depth"), [("iresnet", 152), ("ir", 200)])
def test_each_family_has_its_depths(name: str, depth: int) -> None:
    with pytest.raises(UsageError, match=f"the depths of {name} are 18, 34, 50, 100"):
        NetworkConfig(name, depth=depth)  # type: ignore[arg-type]
