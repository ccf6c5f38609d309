"""Our optimiser groups, loss and update against the original's train.py: groups by name, three steps in
float64.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from multiface.train.building import build_head, head_config
from multiface.train.heads.head import Head, HeadConfig
from multiface.train.heads.margins import ArcFace, Margin, Softmax
from multiface.train.networks.iresnet import IResNet
from multiface.train.networks.mobilefacenet import MobileFaceNet
from multiface.train.optimiser import build_optimiser, groups
from multiface.train.processes import Place
from multiface.train.recipe import HeadSettings, OptimiserConfig
from multiface.train.slice_losses import SliceLosses
from multiface.train.step import Learner, add_gradients, finish_step
from tests.train.reference_centres import centres_to_reference

Floats = npt.NDArray[np.float64]

RUNS: dict[str, tuple[Margin, int]] = {
    "--num_sphere 2 -lr 0.0005": (Softmax(), 2),
    "--num_sphere 1 --arcface_loss --m 0.5 -lr 0.0005": (ArcFace(0.5), 1),
    "--num_sphere 4 --arcface_loss -lr 0.0005": (ArcFace(0.3), 4),
}


def u01(stream: int, n: int) -> Floats:
    """n numbers of the golden data's deterministic sequence."""

    def mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        x = x & 0xFFFFFFFF
        x = x ^ (x >> 16)
        x = (x * 0x7FEB352D) & 0xFFFFFFFF
        x = x ^ (x >> 15)
        x = (x * 0x846CA68B) & 0xFFFFFFFF
        return x ^ (x >> 16)

    j = np.arange(1, n + 1, dtype=np.uint64)
    seeded = (mix(j) + np.uint64(stream * 0x9E3779B9 & 0xFFFFFFFFFFFFFFFF)) & np.uint64(0xFFFFFFFF)
    return (mix(seeded) >> 8).astype(np.float64) / 16777216.0


def sym(stream: int, *shape: int) -> Floats:
    return (2 * u01(stream, int(np.prod(shape))) - 1).reshape(shape)


def golden_weights(network: torch.nn.Module, gain: float) -> dict[str, torch.Tensor]:
    """The golden data's weights for a network: a rule a kind of tensor, by the number of its key."""
    state = network.state_dict()
    filled = {}
    for number, (name, value) in enumerate(state.items()):
        shape, u = tuple(value.shape), u01(number + 1, max(1, value.numel()))
        s = 2 * u - 1
        prefix, _, last = name.rpartition(".")
        if last == "num_batches_tracked":
            filled[name] = torch.zeros_like(value)
            continue
        if last == "running_mean":
            values = 0.2 * s
        elif last == "running_var":
            values = 0.5 + u
        elif len(shape) >= 2:
            values = gain * np.sqrt(3 / np.prod(shape[1:])) * s
        elif last == "weight" and f"{prefix}.running_mean" in state:
            values = 0.7 + 0.6 * u
        elif last == "bias":
            values = 0.2 * s
        else:
            values = 0.05 + 0.25 * u
        filled[name] = torch.from_numpy(values.astype(np.float32).reshape(shape))
    return filled


def golden_pictures(batch: int) -> torch.Tensor:
    b, c, h, w = np.ogrid[:batch, :3, :112, :112]
    noise = np.floor(64 * u01(777, batch * 3 * 112 * 112)).astype(np.int64).reshape(batch, 3, 112, 112)
    pixels = (3 * (b + 1) * h + (5 - 2 * b) * w + 40 * c + (h * w) // 16 + noise) % 256
    return torch.from_numpy(((pixels.astype(np.float32) / 255 - 0.5) / 0.5).astype(np.float32))


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared / "golden" / "training.json").read_text())
    return found


@pytest.mark.parametrize("arguments", list(RUNS))
def test_three_steps_of_the_original(golden: dict[str, Any], arguments: str) -> None:
    margin, slices = RUNS[arguments]
    expected = golden["runs"][arguments]["float64"]
    network = MobileFaceNet(512)
    network.load_state_dict(golden_weights(network, 1.0))
    network = network.double().train()
    settings = HeadSettings(margin=margin, slices=slices)
    head = build_head(head_config(settings, 512, 12), 1.0, 0, None).double()
    kernels = np.stack([sym(3000 + i, 512 // slices, 12).astype(np.float32) for i in range(slices)])
    head.centres.data = torch.from_numpy(kernels).double().transpose(1, 2).contiguous()
    config = OptimiserConfig(rate=0.0005, momentum=0.9, weight_decay=4e-5, last_weight_decay=4e-4)
    optimiser = build_optimiser(groups(network, head, config, 1.0), config)
    learner = Learner(network, head, optimiser, None, Place(torch.device("cpu")))
    of_slices = SliceLosses(head)

    pictures = golden_pictures(24).double()
    labels = torch.from_numpy(np.floor(12 * u01(9009, 24)).astype(np.int64))
    for step, wanted in enumerate(expected["loss_per_step_and_sphere"]):
        rows = slice(8 * step, 8 * step + 8)
        loss, embedded = add_gradients(learner, pictures[rows], labels[rows], 1)
        losses = of_slices.of(embedded, labels[rows]) or [float(loss)]
        assert losses == pytest.approx(wanted, abs=2e-6)
        assert float(loss) == pytest.approx(sum(wanted), abs=5e-6)
        finish_step(learner, loss)

    values = {**network.state_dict()}
    values |= {f"head.{name}": kernel for name, kernel in centres_to_reference(head.centres.data).items()}
    assert set(values) == set(expected["params"])
    for name, (norm, total, first, last) in expected["params"].items():
        value = values[name].double()
        got = [value.norm(), value.sum(), value.reshape(-1)[0], value.reshape(-1)[-1]]
        assert [float(x) for x in got] == pytest.approx([norm, total, first, last], rel=1e-6, abs=1e-7), name


def test_groups_decay_as_in_the_original(golden: dict[str, Any]) -> None:
    (case,) = (case for case in golden["cli"] if case["args"] == "")
    expected = {
        name: group["weight_decay"]
        for names, group in zip(case["group_names"], case["groups"], strict=True)
        for name in names
        if not name.startswith("head.")
    }
    network = MobileFaceNet(512)
    decay_of, _ = decays(network, 4e-5, 4e-4)
    assert {name: decay_of[id(p)] for name, p in network.named_parameters()} == expected


@pytest.mark.parametrize("arguments", ["", "-net ir_se -depth 50"])
def test_groups_are_as_large_as_in_the_original(golden: dict[str, Any], arguments: str) -> None:
    (case,) = (case for case in golden["cli"] if case["args"] == arguments)
    expected = {g["weight_decay"]: (g["tensors"], g["elements"]) for g in case["groups"]}
    network = IResNet(50, True) if "ir_se" in arguments else MobileFaceNet(512)
    _, sizes = decays(network, *((5e-4, 5e-4) if "ir_se" in arguments else (4e-5, 4e-4)))
    assert sizes == expected


def decays(
    network: MobileFaceNet | IResNet, decay: float, last: float
) -> tuple[dict[int, float], dict[float, tuple[int, int]]]:
    """The weight decay of each parameter, and how many tensors and numbers have each; with a head of 12
    classes.
    """
    head = Head(HeadConfig(12, Softmax()))
    found = groups(network, head, OptimiserConfig(weight_decay=decay, last_weight_decay=last), 1.0)
    sizes: dict[float, tuple[int, int]] = {}
    for group in found:
        tensors, elements = sizes.get(group.weight_decay, (0, 0))
        elements += sum(p.numel() for p in group.parameters)
        sizes[group.weight_decay] = (tensors + len(group.parameters), elements)
    return {id(p): group.weight_decay for group in found for p in group.parameters}, sizes
