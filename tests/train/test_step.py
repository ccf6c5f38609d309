"""A step against itself done otherwise: in parts, recomputed, over processes, in other precisions and
formats.
"""

import copy
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from multiface.train.building import BATCH_NORMS, build_head, build_network, head_config
from multiface.train.heads.margins import ArcFace
from multiface.train.heads.shards import shard_bounds
from multiface.train.loss_scale import GROW, LossScale
from multiface.train.optimiser import build_optimiser, groups
from multiface.train.processes import Place
from multiface.train.recipe import HeadSettings, NetworkConfig, OptimiserConfig, StartConfig
from multiface.train.step import (
    Learner,
    add_gradients,
    embed,
    finish_step,
    freeze,
    set_mode,
    to_input,
)
from tests.train.several import joined
from tests.train.whole_checkpoint import whole_head

TINY = NetworkConfig(width=0.1, embedding=16)
CLASSES = 7
RATE = 0.002


def learner_of(place: Place, frozen_norms: bool, network: NetworkConfig = TINY, clip: float = 0.0) -> Learner:
    torch.manual_seed(0)
    built = build_network(network)
    settle(built)
    settings = HeadSettings(ArcFace(0.2), slices=2, scale=16.0)
    head = build_head(head_config(settings, built.embedding_size, CLASSES), 1.0, 3, place.group)
    config = OptimiserConfig(rate=RATE, weight_decay=1e-3, last_weight_decay=1e-2)
    optimiser = build_optimiser(groups(built, head, config, 1.0), config)
    set_mode(built, StartConfig("some", freeze_batch_norm=frozen_norms))
    return Learner(built, head.train(), optimiser, None, place, clip=clip)


def settle(network: torch.nn.Module) -> None:
    """Statistics of a real batch in the batch norms: frozen as they begin, gradients would be enormous."""
    for module in network.modules():
        if isinstance(module, torch.nn.PReLU):
            torch.nn.init.ones_(module.weight)  # no kink at zero, on whose other side rounding would lead
    norms = [module for module in network.modules() if isinstance(module, BATCH_NORMS)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(batch(16, 99)[0])
    for norm in norms:
        norm.momentum = 0.1


def batch(size: int, seed: int = 1, rows: slice = slice(None)) -> tuple[Tensor, Tensor]:
    """Smooth random pictures, or some of them: those of pure noise look all alike to a network, up to rounding."""
    generator = torch.Generator().manual_seed(seed)
    small = 255 * torch.rand(size, 3, 6, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(small[rows], (112, 112), mode="bilinear")
    pixels = smooth.permute(0, 2, 3, 1).to(torch.uint8)
    labels = torch.randint(0, CLASSES, (size,), generator=generator)
    return to_input(pixels, torch.device("cpu"), "rgb", False), labels[rows]


def alone() -> Place:
    return Place(torch.device("cpu"))


def test_the_input_is_normalised_and_in_the_wanted_order() -> None:
    pixels = torch.randint(0, 256, (2, 112, 112, 3), dtype=torch.uint8)
    rgb = to_input(pixels, torch.device("cpu"), "rgb", False)
    wanted = (pixels.permute(0, 3, 1, 2).double() / 255 - 0.5) / 0.5
    assert rgb.shape == (2, 3, 112, 112) and rgb.dtype == torch.float32 and rgb.is_contiguous()
    torch.testing.assert_close(rgb.double(), wanted, atol=1e-7, rtol=0)
    last = to_input(pixels, torch.device("cpu"), "rgb", True)
    assert last.is_contiguous(memory_format=torch.channels_last) and torch.equal(last, rgb)
    assert torch.equal(to_input(pixels, torch.device("cpu"), "bgr", False), rgb.flip(1))


def test_parts_add_up_to_the_whole() -> None:
    pictures, labels = batch(8)
    pictures = pictures.double()
    whole, parts = learner_of(alone(), True), learner_of(alone(), True)
    for one in (whole, parts):
        one.network.double()
        one.head.double()
    loss, _ = add_gradients(whole, pictures, labels, 1)
    losses = [
        add_gradients(parts, pictures[rows], labels[rows], 4, number)[0]
        for number, rows in enumerate(torch.arange(8).view(4, 2))
    ]
    assert float(sum(losses) / 4) == pytest.approx(float(loss), rel=1e-12)
    for a, b in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-10, rtol=1e-9)
    torch.testing.assert_close(whole.head.centres.grad, parts.head.centres.grad, atol=1e-10, rtol=1e-9)


def test_activation_checkpoints_change_no_gradient_and_no_statistic() -> None:
    learner = learner_of(alone(), False, NetworkConfig("ir_se", depth=18, dropout=0.5))
    other = learner_of(alone(), False, NetworkConfig("ir_se", depth=18, dropout=0.5))
    other.activation_checkpoints = True
    pictures, labels = batch(2)
    results = []
    for one in (learner, other):
        torch.manual_seed(4)
        results.append(add_gradients(one, pictures, labels, 1)[0])
    assert results[0] == results[1]
    for a, b in zip(learner.network.parameters(), other.network.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)
    for a, b in zip(learner.network.buffers(), other.network.buffers(), strict=True):
        assert torch.equal(a, b)
    norms = [m for m in other.network.modules() if isinstance(m, BATCH_NORMS)]
    assert all(m.momentum == 0.1 and int(m.num_batches_tracked) == 2 for m in norms)


def test_gradients_are_clipped_to_the_norm_of_all_together() -> None:
    pictures, labels = batch(8)
    free, clipped = learner_of(alone(), True), learner_of(alone(), True, clip=0.5)
    for one in (free, clipped):
        one.optimiser.param_groups[0]["weight_decay"] = 0
        add_gradients(one, pictures, labels, 1)
    gradients = [p.grad.reshape(-1) for p in (*free.network.parameters(), free.head.centres)]
    norm = float(torch.cat(gradients).norm())
    assert norm > 0.5
    before = clipped.head.centres.detach().clone()
    wanted = before - RATE * (free.head.centres.grad * 0.5 / norm + 1e-2 * before)
    assert finish_step(free, torch.zeros(())).norm == pytest.approx(norm, rel=1e-5)
    assert finish_step(clipped, torch.zeros(())).norm == pytest.approx(norm, rel=1e-5)
    torch.testing.assert_close(clipped.head.centres.detach(), wanted)


@pytest.mark.parametrize("broken", ["gradient", "loss"])
def test_a_gradient_or_loss_that_is_no_number_changes_nothing(broken: str) -> None:
    learner = learner_of(alone(), True)
    pictures, labels = batch(4)
    add_gradients(learner, pictures, labels, 1)
    before = copy.deepcopy(learner.network.state_dict())
    if broken == "gradient":
        next(learner.network.parameters()).grad[0] = math.nan
    told = finish_step(learner, torch.tensor(math.nan if broken == "loss" else 1.0))
    assert not told.learned and math.isnan(told.loss if broken == "loss" else told.norm)
    assert all(torch.equal(before[name], value) for name, value in learner.network.state_dict().items())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_near_and_the_scaler_steps_over_infinities(precision: str) -> None:
    pictures, labels = batch(8)
    full, half = learner_of(alone(), True), learner_of(alone(), True)
    half.precision = precision  # type: ignore[assignment]
    if precision == "fp16":
        half.scale = LossScale(2.0**8)
    losses = [add_gradients(one, pictures, labels, 1)[0] for one in (full, half)]
    assert float(losses[1]) == pytest.approx(float(losses[0]), rel=0.03)
    told = [finish_step(one, loss) for one, loss in zip((full, half), losses, strict=True)]
    assert told[1].norm == pytest.approx(told[0].norm, rel=0.1) and told[1].learned
    if half.scale is not None:
        before = copy.deepcopy(half.network.state_dict())
        add_gradients(half, pictures, labels, 1)
        next(half.network.parameters()).grad[0] = math.inf
        assert not finish_step(half, losses[1]).learned
        assert all(torch.equal(before[name], value) for name, value in half.network.state_dict().items())
        assert half.scale == LossScale(2.0**7, 0)


def test_the_loss_scale_moves_as_pytorchs_own() -> None:
    """Outside oracle: torch.amp.GradScaler over finite and infinite gradients."""
    finite = [True] * 3 + [False] + [True] * GROW + [False, False] + [True] * (GROW + 5)
    ours, theirs = LossScale(), torch.amp.GradScaler("cpu")
    weight = torch.nn.Parameter(torch.ones(1))
    optimiser = torch.optim.SGD([weight], lr=0.0)
    for one in finite:
        theirs.scale(weight.sum()).backward()
        weight.grad.fill_(1.0 if one else math.inf)
        theirs.step(optimiser)
        theirs.update()
        ours.move(one)
        assert (ours.value, ours.growth) == (theirs.get_scale(), theirs._get_growth_tracker())


@pytest.mark.parametrize(
    ("precision", "network"),
    [("bf16", TINY), ("fp16", TINY), ("bf16", NetworkConfig("ir", depth=18))],
    ids=["bf16", "fp16", "ir"],
)
def test_the_embedding_layer_and_its_batch_norm_stay_in_float32(
    precision: str, network: NetworkConfig
) -> None:
    learner = learner_of(alone(), False, network)
    learner.precision = precision  # type: ignore[assignment]
    met: dict[str, set[torch.dtype]] = {}

    def note(module: torch.nn.Module, given: tuple[Tensor], out: Tensor) -> None:
        met.setdefault(type(module).__name__, set()).update((given[0].dtype, out.dtype))

    for module in learner.network.modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.BatchNorm1d, torch.nn.Conv2d)):
            module.register_forward_hook(note)
    embedded = embed(learner, batch(2)[0])
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    assert met["Linear"] == met["BatchNorm1d"] == {torch.float32} and half in met["Conv2d"]
    assert embedded.embedding.dtype == torch.float32


def test_a_frozen_backbone_stays_and_the_embedding_layer_learns() -> None:
    start = StartConfig("some", backbone_rate=0.0)
    learner = learner_of(alone(), False)
    freeze(learner.network, start)
    set_mode(learner.network, start)
    config = OptimiserConfig(rate=0.05)
    learner.optimiser = build_optimiser(groups(learner.network, learner.head, config, 0.0), config)
    before = copy.deepcopy(learner.network.state_dict())
    finish_step(learner, add_gradients(learner, *batch(8), 1)[0])
    changed = {
        name for name, value in learner.network.state_dict().items() if not torch.equal(before[name], value)
    }
    assert changed == {name for name in before if name.startswith(("linear.", "bn."))}


STEPS = 20


def learn(place: Place, frozen_norms: bool, steps: int, faces: int) -> dict[str, Tensor]:
    """Steps of so many faces in all processes; this process's share of each. Losses, weights, and all centres."""
    learner = learner_of(place, frozen_norms)
    losses = []
    first, last = shard_bounds(faces, place.rank, place.processes)
    for step in range(steps):
        loss, _ = add_gradients(learner, *batch(faces, step, slice(first, last)))
        # The last process alone is asked to stop; all hear of it.
        asked = step == steps - 1 and place.rank == place.processes - 1
        told = finish_step(learner, loss, asked)
        assert told.stop == (step == steps - 1) and told.learned
        losses.append(told.loss)
    whole = whole_head(learner.head)
    state = {f"network.{name}": value for name, value in learner.network.state_dict().items()}
    centres = {"centres": whole["centres"]} if whole else {}
    return {"losses": torch.tensor(losses, dtype=torch.float64), **state, **centres}


@pytest.mark.parametrize(("processes", "faces"), [(2, 16), (8, 18)])
def test_one_process_and_several_are_the_same_run(tmp_path: Path, processes: int, faces: int) -> None:
    """To 1e-5 in losses and weights where batch norms are frozen, shared equally (16 in two) or not (18 in eight);
    live ones normalise each process's faces alone, so the run is another one, but all processes keep the same weights
    and statistics."""

    def one(place: Place) -> None:
        found = [learn(place, True, STEPS, faces), learn(place, False, 3, faces)]
        torch.save(found, tmp_path / f"{place.rank}.pt")

    assert joined(processes, tmp_path, one) == [""] * processes
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(processes)]
    for mode in (0, 1):
        first = found[0][mode]
        for other in found[1:]:
            assert set(first) - set(other[mode]) == {"centres"}
            assert [name for name in other[mode] if not torch.equal(first[name], other[mode][name])] == []
    alone_result = learn(alone(), True, STEPS, faces)
    assert alone_result["losses"][-1] < 0.8 * alone_result["losses"][0]
    for name, value in alone_result.items():
        torch.testing.assert_close(
            found[0][0][name], value, atol=1e-5, rtol=1e-5, msg=lambda m, n=name: f"{n}: {m}"
        )
    assert not torch.allclose(found[0][1]["losses"], learn(alone(), False, 3, faces)["losses"], atol=1e-3)
