"""UniFace: the loss with one learned threshold. Against the formula written slowly, finite differences, several
processes, and a run that is resumed.
"""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from multiface.datasets.identities import identities_from_records
from multiface.errors import UsageError, WeightsError
from multiface.train.building import build_head, build_network, head_config
from multiface.train.checkpoint import open_checkpoint
from multiface.train.heads.blocks import BlockSizes
from multiface.train.heads.head import Head, HeadConfig
from multiface.train.heads.margins import CosFace, UniFace
from multiface.train.heads.sharded import ShardedHead
from multiface.train.heads.shards import shard_bounds
from multiface.train.heads.sliced import split, target_cosines
from multiface.train.heads.unified import Settings, first_threshold, unified_loss
from multiface.train.loop import train
from multiface.train.optimiser import build_optimiser, groups
from multiface.train.processes import Place
from multiface.train.recipe import (
    HeadSettings,
    NetworkConfig,
    OptimiserConfig,
    Recipe,
    StartConfig,
    margin_named,
)
from multiface.train.step import Learner, add_gradients, finish_step, set_mode
from tests.train.several import joined

CLASSES, SIZE, BATCH = 9, 12, 6


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(8)
    embedding = normalize(torch.randn(BATCH, SIZE, generator=generator, dtype=torch.float64))
    return embedding, torch.randint(CLASSES, (BATCH,), generator=generator)


def head_of(config: HeadConfig) -> Head:
    head = Head(config, torch.Generator().manual_seed(2)).double()
    assert head.threshold is not None
    with torch.no_grad():
        head.threshold += torch.arange(config.slices)
        head.centres *= 1.7
    return head


def literal(
    head: Head | ShardedHead, embedding: Tensor, labels: Tensor, rows: Tensor | None = None
) -> Tensor:
    """The paper's formula, face by face and class by class; of some classes, ascending, where they are sampled."""
    config, margin = head.config, head.config.margin
    assert isinstance(margin, UniFace) and head.threshold is not None
    size, losses = config.slice_size, []
    for i in range(config.slices):
        b = head.threshold[i]
        loss = embedding.new_zeros(())
        for face, label in zip(embedding, labels.tolist(), strict=True):
            part = face[i * size : (i + 1) * size]
            if config.normalise_slices:
                part = part / part.norm()
            for c in range(config.classes) if rows is None else rows.tolist():
                each = [head.centres[i, c, k * size : (k + 1) * size] for k in range(config.subcentres)]
                cosine = max((part @ (w / w.norm()) for w in each), key=lambda one: one.item())
                if c == label:
                    loss = loss + (1 + (b - config.scale * (cosine - margin.margin)).exp()).log()
                else:
                    loss = loss + (1 + (config.scale * cosine - b).exp()).log()
        losses.append(loss / len(labels))
    total = torch.stack(losses)
    return total.mean() if config.average else total.sum()


@pytest.mark.parametrize("several", [1, 2])
@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("slices", [1, 2, 4])
def test_value_and_gradients_equal_the_formula(slices: int, normalise: bool, several: int) -> None:
    config = HeadConfig(CLASSES, UniFace(0.3), SIZE, slices, 30.0, normalise, slices == 4, several)
    head = head_of(config)
    embedding, labels = batch()
    embedding.requires_grad_()
    inputs = (embedding, head.centres, head.threshold)
    want = literal(head, embedding, labels)
    wanted = torch.autograd.grad(want, inputs)
    for sizes in (None, BlockSizes(4, 0), BlockSizes(1, 0), BlockSizes(5, 0, slices)):
        head.sizes = sizes
        loss = head(embedding, labels)
        torch.testing.assert_close(loss, want, rtol=1e-11, atol=1e-11)
        for factor in (1, 3):  # the second time the gradients are made anew
            got = torch.autograd.grad(loss * factor, inputs, retain_graph=True)
            for a, b in zip(got, wanted, strict=True):
                torch.testing.assert_close(a, factor * b, rtol=1e-9, atol=1e-9)


def test_logits_have_the_margin_at_the_own_class_alone() -> None:
    head = head_of(HeadConfig(CLASSES, UniFace(0.3), SIZE, 2, 30.0))
    embedding, labels = batch()
    for found, part, centres in zip(
        head.logits(embedding, labels), split(embedding, 2, False), head.centres, strict=True
    ):
        cosine = part @ normalize(centres.detach()).T
        cosine[range(BATCH), labels] -= 0.3
        torch.testing.assert_close(found, 30 * cosine)


def test_finite_differences() -> None:
    embedding, labels = batch()
    embedding = embedding[:3].requires_grad_()
    head = head_of(HeadConfig(CLASSES, UniFace(0.3), SIZE, 2))
    settings = Settings(0.3, 8.0, sizes=BlockSizes(2, 0))

    def run(embedding: Tensor, centres: Tensor, threshold: Tensor) -> Tensor:
        parts = split(embedding, 2, True)
        own = target_cosines(parts, centres, labels[:3])
        return unified_loss(parts, centres, threshold, labels[:3], settings, own)

    assert torch.autograd.gradcheck(run, (embedding, head.centres, head.threshold), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_zeros_opposites_and_half_precision(dtype: torch.dtype) -> None:
    """Finite where cosines are 1, -1 and 0, and where a centre or a face is no vector."""
    head = Head(HeadConfig(3, UniFace(), 4, 2, 64.0))
    centres = torch.zeros(2, 3, 2, dtype=dtype)
    centres[:, 0, 0], centres[:, 1, 1] = 2, 1
    head.centres.data = centres
    embedding = torch.tensor([[1.0, 0, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=dtype)
    embedding.requires_grad_()
    assert head.threshold is not None
    loss = head(embedding, torch.tensor([0, 0, 1, 2]))
    assert loss.dtype == torch.float32 and torch.isfinite(loss)
    got = torch.autograd.grad(loss, (embedding, head.centres, head.threshold))
    assert all(torch.isfinite(one).all() for one in got)
    assert [one.dtype for one in got] == [dtype, dtype, torch.float32]
    assert (got[1][:, 2] == 0).all()


def test_the_first_threshold_takes_a_face_for_a_tenth_of_a_person() -> None:
    head = Head(HeadConfig(5000, UniFace(), SIZE, 2))
    assert head.threshold is not None
    assert torch.sigmoid(-head.threshold).mul(5000).tolist() == pytest.approx([0.1, 0.1], rel=1e-4)
    assert Head(HeadConfig(5, CosFace(), SIZE)).threshold is None


@pytest.mark.parametrize("rate", [1.0, 0.6])
def test_several_processes_equal_one(tmp_path: Path, rate: float) -> None:
    """Classes over two processes, exact and sampled, single and Multi: loss, embeddings, centres and threshold."""
    cases = [HeadConfig(25, UniFace(), SIZE, slices, subcentres=k) for slices, k in ((1, 1), (2, 1), (2, 2))]

    def work(place: Place) -> None:
        assert place.group is not None
        found = []
        for config in cases:
            head = ShardedHead(config, place.group, rate, seed=4).double()
            embedding, labels = batch()
            first, last = shard_bounds(BATCH, place.rank, 2)
            own = embedding[first:last].clone().requires_grad_()
            loss = head(own, labels[first:last])
            loss.backward()
            rows = torch.arange(head.start, head.stop)
            gradient = head.centres.grad
            if head.sampled:
                rows, gradient = head.start + head.sampled[0].rows, head.sampled[0].centres.grad
            assert gradient is not None and own.grad is not None and head.threshold is not None
            assert head.threshold.grad is not None
            grads = {"embedding": own.grad, "centres": gradient, "threshold": head.threshold.grad}
            found.append({"loss": loss.detach(), "rows": rows} | grads)
        torch.save(found, tmp_path / f"{place.rank}.pt")

    assert joined(2, tmp_path / "out", work) == ["", ""]
    results = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    for number, config in enumerate(cases):
        head = Head(config, torch.Generator().manual_seed(4)).double()
        assert head.threshold is not None
        with torch.no_grad():
            head.threshold.copy_(first_threshold(25, config.slices, rate))
        embedding, labels = batch()
        embedding.requires_grad_()
        got = [result[number] for result in results]
        rows = torch.cat([one["rows"] for one in got])
        assert (len(rows) == 25) == (rate == 1)
        want = literal(head, embedding, labels, rows)
        of_embedding, of_centres, of_threshold = torch.autograd.grad(
            want, (embedding, head.centres, head.threshold)
        )
        for one in got:
            torch.testing.assert_close(one["loss"], want.detach(), rtol=1e-9, atol=1e-11)
            torch.testing.assert_close(one["threshold"], of_threshold, rtol=1e-9, atol=1e-11)
        whole = torch.cat([one["embedding"] for one in got])
        torch.testing.assert_close(whole, of_embedding, rtol=1e-9, atol=1e-11)
        centres = torch.cat([one["centres"] for one in got], 1)
        torch.testing.assert_close(centres, of_centres[:, rows], rtol=1e-9, atol=1e-11)


def learner_of(place: Place, clip: float) -> Learner:
    torch.manual_seed(0)
    network = build_network(NetworkConfig(width=0.1, embedding=16)).double()
    for module in network.modules():
        if isinstance(module, torch.nn.PReLU):
            torch.nn.init.ones_(module.weight)
    settings = HeadSettings(UniFace(0.2), slices=2, scale=16.0)
    head = build_head(head_config(settings, 16, CLASSES), 1.0, 3, place.group).double()
    config = OptimiserConfig(rate=0.01, last_weight_decay=1e-2)
    set_mode(network, StartConfig("some", freeze_batch_norm=True))
    optimiser = build_optimiser(groups(network, head, config, 1.0), config)
    return Learner(network, head.train(), optimiser, None, place, clip=clip)


def step_of(learner: Learner) -> tuple[float, Tensor]:
    """Gradients' norm and the threshold after two steps of four faces in all."""
    place, told = learner.place, None
    for _ in range(2):
        generator = torch.Generator().manual_seed(1)
        pictures = torch.randn(4, 3, 112, 112, generator=generator, dtype=torch.float64)
        first, last = shard_bounds(4, place.rank, place.processes)
        loss, _ = add_gradients(learner, pictures[first:last], torch.tensor([0, 3, 8, 3])[first:last])
        learned = [*learner.network.parameters(), *learner.head.parameters()]
        norm = torch.nn.utils.get_total_norm([p.grad for p in learned if p.grad is not None])
        told = finish_step(learner, loss)
        assert place.processes > 1 or told.norm == pytest.approx(norm.item())
    assert told is not None and learner.head.threshold is not None
    return told.norm, learner.head.threshold.detach()


def test_the_threshold_learns_the_same_in_two_processes_and_counts_in_the_norm(tmp_path: Path) -> None:
    norm, threshold = step_of(learner_of(Place(torch.device("cpu")), 0.5))
    settings = HeadSettings(UniFace(0.2), slices=2, scale=16.0)
    begin = build_head(head_config(settings, 16, CLASSES), 1.0, 3, None).threshold
    assert begin is not None and not torch.allclose(begin.double(), threshold)

    def work(place: Place) -> None:
        torch.save(step_of(learner_of(place, 0.5)), tmp_path / f"{place.rank}.pt")

    assert joined(2, tmp_path / "out", work) == ["", ""]
    for rank in range(2):
        other_norm, other = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert other_norm == pytest.approx(norm, rel=1e-6)
        torch.testing.assert_close(other, threshold, rtol=1e-7, atol=1e-7)


def test_a_run_is_stopped_and_resumed_to_the_bit(
    tiny_recipe: Callable[..., Recipe], records: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(head={"margin": margin_named("uniface", margin=0.2)}, schedule={"epochs": 2.0})
    pictures, place = identities_from_records(records), Place(torch.device("cpu"))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train(recipe, whole, pictures, [], place).finished
    train(recipe, cut, pictures, [], place, stop=iter([False, False, True]).__next__)
    assert train(recipe, cut, pictures, [], place, resume=True).finished
    last = [sorted((run / "checkpoints").iterdir())[-1] for run in (whole, cut)]
    assert last[0].read_bytes() == last[1].read_bytes()
    file, _ = open_checkpoint(last[0])
    assert {"head.threshold", "momentum.head.threshold"} <= set(file.shapes)
    assert (file.whole("head.threshold") != math.log(60)).all()  # it has learned
    file.close()
    (cut / "recipe.toml").unlink()
    other = tiny_recipe(schedule={"epochs": 2.0})
    with pytest.raises((UsageError, WeightsError), match="threshold"):
        train(other, cut, pictures, [], place, resume=True)


def test_a_margin_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(UsageError, match="UniFace: margin must be within"):
        UniFace(3)
