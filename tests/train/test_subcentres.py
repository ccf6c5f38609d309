"""Sub-centres: the nearest of a class's centres counts. Against the formula written slowly, finite differences, several
processes, and a run on wrong labels.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from multiface.datasets.identities import identities_from_records
from multiface.errors import UsageError, WeightsError
from multiface.train.crops import decode_pixels
from multiface.train.fine_tune import centres_from_pictures
from multiface.train.heads.blocks import BlockSizes
from multiface.train.heads.chunked import blocked_loss
from multiface.train.heads.head import Head, HeadConfig
from multiface.train.heads.margins import ArcFace, CosFace, CurricularFace, MagFace, Margin
from multiface.train.heads.sharded import ShardedHead
from multiface.train.heads.shards import shard_bounds
from multiface.train.heads.sliced import split, target_cosines
from multiface.train.loop import build_learner, train
from multiface.train.processes import Place
from multiface.train.recipe import Recipe, recipe_from_toml, recipe_to_toml
from multiface.train.validation import embed_crops
from tests.train.several import joined

CLASSES, SIZE, BATCH = 7, 12, 8
MARGINS: list[Margin] = [ArcFace(0.4), CosFace(0.3), CurricularFace(0.4, 0.0)]


def config_of(margin: Margin, slices: int, several: int, scale: float = 64.0) -> HeadConfig:
    return HeadConfig(CLASSES, margin, SIZE, slices, scale, subcentres=several)


def head_of(config: HeadConfig) -> Head:
    head = Head(config, torch.Generator().manual_seed(2)).double()
    if isinstance(config.margin, CurricularFace):
        head.margin_state.fill_(0.3)
    return head


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(8)
    embedding = normalize(torch.randn(BATCH, SIZE, generator=generator, dtype=torch.float64))
    return embedding, torch.randint(CLASSES, (BATCH,), generator=generator)


def literal(head: Head, embedding: Tensor, labels: Tensor) -> Tensor:
    """Face by face, class by class, sub-centre by sub-centre."""
    config, margin = head.config, head.config.margin
    size, total = config.slice_size, embedding.new_zeros(())
    for i in range(config.slices):
        logits = []
        for b in range(len(labels)):
            part = embedding[b, i * size : (i + 1) * size]
            cosines = []
            for c in range(config.classes):
                each = [head.centres[i, c, k * size : (k + 1) * size] for k in range(config.subcentres)]
                nearest = max((part @ (w / w.norm()) for w in each), key=lambda cosine: cosine.item())
                cosines.append(nearest)
            target = cosines[int(labels[b])]
            theta = target.arccos()
            match margin:
                case ArcFace(m):
                    moved = (theta + m).cos() if theta + m < math.pi else target - m * math.sin(m)
                case CosFace(m):
                    moved = target - m
                case CurricularFace(m, _):
                    turned = (theta + m).cos()
                    moved = turned if theta + m < math.pi else target - m * math.sin(m)
                    t = float(head.margin_state[i])
                    cosines = [c * (t + c) if c > turned else c for c in cosines]
            cosines[int(labels[b])] = moved
            logits.append(torch.stack(cosines) * config.scale)
        total = total + cross_entropy(torch.stack(logits), labels)
    return total


@pytest.mark.parametrize("several", [2, 3])
@pytest.mark.parametrize("slices", [1, 2])
@pytest.mark.parametrize("margin", MARGINS, ids=lambda margin: type(margin).__name__)
def test_value_and_gradients_equal_the_formula(margin: Margin, slices: int, several: int) -> None:
    for scale in (64.0, 1200.0):  # the latter with a running maximum
        head = head_of(config_of(margin, slices, several, scale))
        embedding, labels = batch()
        embedding.requires_grad_()
        want = literal(head, embedding, labels)
        wanted = torch.autograd.grad(want, (embedding, head.centres))
        # Whole, in blocks that are kept or made again, and blocks that would cut a class.
        for sizes in (None, BlockSizes(6, 0), BlockSizes(7, 14), BlockSizes(1, 3), BlockSizes(1, 3, slices)):
            head.sizes = sizes
            loss = head(embedding, labels)
            torch.testing.assert_close(loss, want, rtol=1e-10, atol=1e-10)
            got = torch.autograd.grad(loss, (embedding, head.centres))
            for a, b in zip(got, wanted, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)
        plain = sum(cross_entropy(part, labels) for part in head.logits(embedding, labels))
        torch.testing.assert_close(plain, want, rtol=1e-10, atol=1e-10)


def test_finite_differences() -> None:
    embedding, labels = batch()
    embedding = embedding[:3].requires_grad_()
    centres = head_of(config_of(ArcFace(0.4), 2, 2)).centres

    def run(embedding: Tensor, centres: Tensor) -> Tensor:
        parts = split(embedding, 2, True)
        cosine, nearest = target_cosines(parts, centres, labels[:3])
        targets = ArcFace(0.4).targets(cosine, torch.zeros(0), None)
        return blocked_loss(parts, centres, labels[:3], targets, 8.0, False, nearest=nearest)

    assert torch.autograd.gradcheck(run, (embedding, centres), atol=1e-6)


def test_equal_subcentres_count_once() -> None:
    """Where two are equal, or a face is no vector at all, one of them is it, not both."""
    one = head_of(config_of(ArcFace(0.4), 2, 1))
    three = head_of(config_of(ArcFace(0.4), 2, 3))
    three.centres.data = one.centres.data.repeat(1, 1, 3)
    embedding, labels = batch()
    embedding[3] = 0
    torch.testing.assert_close(three(embedding, labels), one(embedding, labels), rtol=1e-12, atol=1e-12)


def of_processes(head: ShardedHead) -> dict[str, Tensor]:
    embedding, labels = batch()
    first, last = shard_bounds(BATCH, dist.get_rank(head.group), dist.get_world_size(head.group))
    own = embedding[first:last].clone().requires_grad_()
    loss = head(own, labels[first:last], torch.full((last - first,), 20.0, dtype=torch.float64))
    loss.backward()
    gradient, rows = head.centres.grad, torch.arange(head.start, head.stop)
    if head.sampled:
        gradient, rows = head.sampled[0].centres.grad, head.start + head.sampled[0].rows
    assert gradient is not None and own.grad is not None
    return {"loss": loss.detach(), "embedding": own.grad, "centres": gradient, "rows": rows}


@pytest.mark.parametrize("rate", [1.0, 0.6])
def test_several_processes_equal_one(tmp_path: Path, rate: float) -> None:
    """Classes divided over two processes, exact and sampled, Multi and single, against the literal logits."""
    classes = 25  # so many that a sample leaves some out
    cases = [
        HeadConfig(classes, margin, SIZE, slices, subcentres=3)
        for margin in (ArcFace(0.4), MagFace(reward=0))
        for slices in (1, 2)
    ]

    def work(place: Place) -> None:
        assert place.group is not None
        found = []
        for config in cases:
            head = ShardedHead(config, place.group, rate, seed=4)
            head.centres.data = head.centres.data.double()
            found.append(of_processes(head))
        torch.save(found, tmp_path / f"{place.rank}.pt")

    assert joined(2, tmp_path / "out", work) == ["", ""]
    results = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    for number, config in enumerate(cases):
        head = Head(config, torch.Generator().manual_seed(4))
        head.centres.data = head.centres.data.double()
        embedding, labels = batch()
        embedding.requires_grad_()
        got = [result[number] for result in results]
        rows = torch.cat([one["rows"] for one in got])
        assert (len(rows) == classes) == (rate == 1)
        logits = head.logits(embedding, labels, torch.full((BATCH,), 20.0, dtype=torch.float64))[:, :, rows]
        want = sum(cross_entropy(part, torch.searchsorted(rows, labels)) for part in logits)
        assert isinstance(want, Tensor)
        want.backward()
        assert embedding.grad is not None and head.centres.grad is not None
        for one in got:
            torch.testing.assert_close(one["loss"], want.detach(), rtol=1e-10, atol=1e-10)
        pieces = {"embedding": (0, embedding.grad), "centres": (1, head.centres.grad[:, rows])}
        for name, (axis, wanted) in pieces.items():
            whole = torch.cat([one[name] for one in got], axis)
            torch.testing.assert_close(whole, wanted, rtol=1e-8, atol=1e-8)


def test_a_run_is_stopped_and_resumed_to_the_bit(
    tiny_recipe: Callable[..., Recipe], records: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(head={"subcentres": 3}, schedule={"epochs": 2.0})
    assert recipe_from_toml(recipe_to_toml(recipe)) == recipe
    pictures, place = identities_from_records(records), Place(torch.device("cpu"))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train(recipe, whole, pictures, [], place).finished
    train(recipe, cut, pictures, [], place, stop=iter([False, False, True]).__next__)
    assert train(recipe, cut, pictures, [], place, resume=True).finished
    last = [sorted((run / "checkpoints").iterdir())[-1].read_bytes() for run in (whole, cut)]
    assert last[0] == last[1]
    other = tiny_recipe(head={"subcentres": 2}, schedule={"epochs": 2.0})
    with pytest.raises(UsageError, match="subcentres = 2 \\(was 3\\)"):
        train(other, cut, pictures, [], place, resume=True)
    (cut / "recipe.toml").unlink()
    with pytest.raises(WeightsError, match="centres is"):
        train(other, cut, pictures, [], place, resume=True)


def test_subcentres_begin_where_some_pictures_lie(tiny_recipe: Callable[..., Recipe], records: Path) -> None:
    """Sub-centre k at the mean of pictures k, k + K, ... of its person; without any it stays random."""
    pictures = identities_from_records(records)
    learner, _ = build_learner(tiny_recipe(head={"subcentres": 6}), pictures, Place(torch.device("cpu")))
    before = learner.head.centres.detach().clone()
    centres_from_pictures(learner.network, learner.head, pictures, "rgb", torch.device("cpu"))
    size = learner.head.config.slice_size
    crops = np.stack([decode_pixels(pictures.read(i)) for i in range(10)])
    embedded = embed_crops(learner.network, crops, "rgb", False, torch.device("cpu"))
    for person in (0, 1):
        for k in range(5):
            wanted = normalize(embedded[5 * person + k, :size], dim=0)
            got = learner.head.centres[0, person, k * size : (k + 1) * size]
            torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)
    assert torch.equal(learner.head.centres[:, :, 5 * size :], before[:, :, 5 * size :])


def test_wrong_labels_gather_at_another_subcentre() -> None:
    """What sub-centres are for: a third of each person's faces are of somebody else. A single centre is drawn off to
    them, of three the nearest is not.
    """
    generator = torch.Generator().manual_seed(1)
    people, strangers = normalize(torch.randn(2, 20, 32, generator=generator), dim=2)
    labels = torch.arange(20).repeat_interleave(9)
    faces = people[labels].clone()
    faces[::3] = strangers[labels[::3]]
    faces = normalize(faces + 0.02 * torch.randn(len(faces), 32, generator=generator))
    nearest = {}
    for several in (1, 3):
        head = Head(HeadConfig(20, ArcFace(0.3), 32, 1, 16.0, subcentres=several), generator)
        optimiser = torch.optim.SGD(head.parameters(), 0.1, 0.9)
        for _ in range(100):
            optimiser.zero_grad()
            head(faces, labels).backward()
            optimiser.step()
        each = normalize(head.centres.detach().view(20, several, 32), dim=2)
        nearest[several] = torch.einsum("ckd,cd->ck", each, people).max(1).values.mean().item()
    assert nearest[3] > nearest[1] + 0.1


def test_less_than_one_subcentre_is_refused() -> None:
    with pytest.raises(UsageError, match="subcentres must be at least 1, not 0"):
        recipe_from_toml("[head]\nsubcentres = 0")
    with pytest.raises(UsageError, match="subcentres must be at least 1, not 0"):
        HeadConfig(5, ArcFace(), subcentres=0)
