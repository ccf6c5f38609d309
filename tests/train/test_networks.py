"""Networks against the original's (golden/models.*): names, sizes, outputs; and what the original lacks."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from multiface.errors import UsageError
from multiface.train.networks.iresnet import IResNet
from multiface.train.networks.mobilefacenet import MobileFaceNet
from multiface.train.networks.unit import unit

NAMES = [
    "mobilefacenet_512", "mobilefacenet_128", "mobilefacenet_softmax_512", "ir_50", "ir_se_50", "ir_100",
    "ir_se_100", "ir_152", "ir_se_152", "ir_34_patched", "ir_se_34_patched",
]  # fmt: skip

RUN = [name for name in NAMES if name not in ("ir_100", "ir_se_152")]
"""Those whose outputs are compared: the deepest without excitation and a deep one with it stand for the others."""

NOT_MODULES = {"conv_6_flatten"}
"""Steps of the original that are modules without parameters there, and calls here."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def network_of(name: str) -> MobileFaceNet | IResNet:
    words = name.removesuffix("_patched").split("_")
    if words[0] == "mobilefacenet":
        return MobileFaceNet(int(words[-1]))
    return IResNet(int(words[-1]), "se" in words)  # type: ignore[arg-type]


def uniform(stream: int, count: int) -> np.ndarray:
    """The notes' deterministic numbers in [0, 1), in blocks (the largest layer has 13 million)."""
    out = np.empty(count)
    for start in range(0, count, 1 << 20):
        j = np.arange(start + 1, min(start + (1 << 20), count) + 1, dtype=np.uint64)
        out[start : start + len(j)] = (_mix(_mix(j) + np.uint64(stream * 0x9E3779B9)) >> 8) / 16777216.0
    return out


def _mix(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint32(shift)
        x *= np.uint32(factor)
    return (x ^ (x >> np.uint32(16))).astype(np.uint64)


def weights_of(keys: list[tuple[str, list[int]]], gain: float) -> dict[str, np.ndarray]:
    """The weights of section 2 of the notes, from names and shapes alone."""
    names = {name for name, _ in keys}
    out: dict[str, np.ndarray] = {}
    for number, (name, shape) in enumerate(keys):
        if name.endswith("num_batches_tracked"):
            out[name] = np.zeros(shape, np.int64)
            continue
        u = uniform(number + 1, int(np.prod(shape))).reshape(shape)
        s = 2 * u - 1
        if name.endswith("running_mean"):
            value = 0.2 * s
        elif name.endswith("running_var"):
            value = 0.5 + u
        elif len(shape) >= 2:
            value = gain * np.sqrt(3 / np.prod(shape[1:])) * s
        elif name.endswith("bias"):
            value = 0.2 * s
        elif name.removesuffix("weight") + "running_mean" in names:
            value = 0.7 + 0.6 * u
        else:
            value = 0.05 + 0.25 * u
        out[name] = value.astype(np.float32)
    return out


def test_names_and_sizes_of_the_reference(shared: Path) -> None:
    """Of all depths; without numbers, which takes no time."""
    entries = json.loads((shared / "golden/models.json").read_text())
    for name in NAMES:
        with torch.device("meta"):
            network = network_of(name).eval()
        keys = [[key, list(value.shape)] for key, value in network.state_dict().items()]
        assert keys == entries[name]["keys"], name
        assert sum(p.numel() for p in network.parameters()) == entries[name]["n_parameters"], name


@pytest.mark.parametrize("name", RUN)
def test_outputs_of_the_reference(shared: Path, name: str) -> None:
    entry: dict[str, Any] = json.loads((shared / "golden/models.json").read_text())[name]
    arrays = np.load(shared / "golden/models.npz")
    network = network_of(name).eval()
    state = network.state_dict()
    weights = weights_of([(key, list(value.shape)) for key, value in state.items()], entry["gain"])
    digest = hashlib.sha256()
    for value in weights.values():
        digest.update(value)
    assert digest.hexdigest() == entry["weights_sha256"]  # the oracle's own weights, not ours
    network.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})

    pixels = torch.from_numpy(arrays["input.pixels"])
    pictures = (pixels.float() / 255 - 0.5) / 0.5
    outputs: dict[str, Tensor] = {}
    stages = [stage for stage in entry["stages"] if stage["module"] not in NOT_MODULES]
    for stage in stages:
        network.get_submodule(stage["module"]).register_forward_hook(
            lambda _module, _inputs, output, key=stage["module"]: outputs.__setitem__(key, output)
        )
    with torch.no_grad():
        features = network.features(pictures)
        whole = dict(outputs)
        mirrored = network(pictures.flip(3))
        embedding = unit(features)
    largest = float(np.abs(arrays[f"{name}.features"]).max())
    np.testing.assert_allclose(features, arrays[f"{name}.features"], rtol=0, atol=1e-5 * max(1, largest))
    expected = arrays[f"{name}.embedding"]
    if "softmax" in name:
        np.testing.assert_allclose(features, expected, rtol=0, atol=1e-5 * max(1, largest))
    else:
        np.testing.assert_allclose(embedding, expected, rtol=0, atol=1e-5)
        np.testing.assert_allclose(embedding, arrays[f"{name}.embedding_f64"], rtol=0, atol=1e-5)
        np.testing.assert_allclose(mirrored, arrays[f"{name}.embedding_mirrored"], rtol=0, atol=1e-5)
    for stage in stages:
        output = whole[stage["module"]]
        scale = 1e-5 * max(1, stage["std"])
        assert list(output.shape) == stage["shape"]
        assert output.mean().item() == pytest.approx(stage["mean"], abs=scale)
        assert output.std(correction=0).item() == pytest.approx(stage["std"], abs=scale)
        assert output.flatten()[:4].tolist() == pytest.approx(stage["first"], abs=10 * scale)
    assert multiply_adds(network) == entry["macs_per_image"]


def multiply_adds(network: nn.Module) -> int:
    """Multiply-adds of convolutions and linear layers for one 112 x 112 picture."""
    total = 0

    def count(module: nn.Module, _inputs: Any, output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d | nn.Linear)
        total += module.weight[0].numel() * output.numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, 3, 112, 112))
    return total


@pytest.mark.parametrize("excitation", [False, True])
def test_eighteen_layers(excitation: bool) -> None:
    """The original cannot build it: 2 x 2 x 4 units, the stem and the output make 18 weighted layers."""
    network = IResNet(18, excitation)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(convolutions) + 1 == 18
    assert sum("fc1" in key for key in network.state_dict()) == (8 if excitation else 0)
    network(torch.randn(2, 3, 112, 112)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("size", [32, 128, 512])
@pytest.mark.parametrize("width", [0.5, 1.0])
@pytest.mark.parametrize("excitation", [False, True])
def test_mobilefacenet_variants(size: int, width: float, excitation: bool) -> None:
    network = MobileFaceNet(size, width, excitation)
    plain = MobileFaceNet(size, width)
    added = set(network.state_dict()) - set(plain.state_dict())
    assert set(plain.state_dict()) <= set(network.state_dict())
    assert len(added) == (30 if excitation else 0)  # fc1, fc2 in each of 15 bottlenecks
    assert network.conv1.conv.out_channels == 64 * width
    embedding = network(torch.randn(3, 3, 112, 112))
    assert embedding.shape == (3, size)
    assert embedding.dtype == torch.float32
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(3))
    embedding[:, 0].sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_settings_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(UsageError, match="depth"):
        IResNet(20)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="dropout"):
        IResNet(18, dropout=1)
    with pytest.raises(UsageError, match="embedding size"):
        MobileFaceNet(0)
    with pytest.raises(UsageError, match="width"):
        MobileFaceNet(width=float("nan"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_unit_is_sound_at_zero(dtype: torch.dtype) -> None:
    vectors = torch.tensor([[3.0, 4.0], [0.0, 0.0], [1e-30, 0.0], [1e-9, 0.0]], dtype=dtype).requires_grad_()
    out = unit(vectors)
    torch.testing.assert_close(
        out, torch.tensor([[0.6, 0.8], [0, 0], [0, 0], [1, 0]], dtype=dtype), rtol=1e-2, atol=0
    )
    out.sum().backward()
    assert torch.isfinite(vectors.grad).all()
    assert (vectors.grad[1:3] == 0).all()
