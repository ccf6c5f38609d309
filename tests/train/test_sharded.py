"""Classes over 1, 2 and 3 real processes (gloo) against one: loss, every gradient, sampling, resuming.

Workers run the cases and leave what they got in files; the comparison is made here, with head.Head (itself
compared with the literal formulas in test_heads.py).
"""

import itertools
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from multiface.errors import UsageError
from multiface.train.heads import shards
from multiface.train.heads.head import Head, HeadConfig
from multiface.train.heads.margins import (
    AdaFace,
    ArcFace,
    Combined,
    CosFace,
    CurricularFace,
    MagFace,
    Margin,
    Softmax,
)
from multiface.train.heads.sampling import Sampled, sample_rows, sampled_gradient
from multiface.train.heads.sharded import ShardedHead
from multiface.train.heads.shards import shard_bounds
from multiface.train.optimiser import memories, step_rows
from tests.train.whole_checkpoint import own_part, whole_head, whole_shards

MARGINS: list[Margin] = [
    Softmax(),
    CosFace(),
    ArcFace(0.3),
    Combined(1.05, 0.3, 0.1),
    AdaFace(momentum=0.2),
    CurricularFace(momentum=0.2),
    MagFace(0.4, 0.7, 17.0, 23.0),
]
CLASSES, SIZE, BATCH = 11, 12, 7  # 11 classes: 6 + 5, or 4 + 4 + 3; 7 faces: 4 + 3, or 3 + 2 + 2
CASES = [
    *itertools.product(MARGINS, (1, 2, 4), (False, True), (False, True), (64.0,)),
    *itertools.product(MARGINS, (2,), (False,), (False,), (1200.0,)),  # with a running maximum
]
RATE = 0.6


def config_of(margin: Margin, slices: int, normalise: bool, average: bool, scale: float) -> HeadConfig:
    return HeadConfig(CLASSES, margin, SIZE, slices, scale, normalise, average)


def batch() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(8)
    embedding = normalize(torch.randn(BATCH, SIZE, generator=generator, dtype=torch.float64))
    labels = torch.randint(CLASSES, (BATCH,), generator=generator)
    return embedding, labels, 15 + 10 * torch.rand(BATCH, generator=generator, dtype=torch.float64)


def run_case(head: ShardedHead, steps: int) -> dict[str, Any]:
    """A few forward and backward passes of this process's rows, and what came out of the last."""
    embedding, labels, norms = batch()
    first, last = shard_bounds(BATCH, dist.get_rank(head.group), dist.get_world_size(head.group))
    own = embedding[first:last].clone().requires_grad_()
    norms = norms[first:last].requires_grad_(isinstance(head.config.margin, MagFace))
    for _ in range(steps):
        norms.grad = None
        own.grad = head.centres.grad = None
        head.clear()
        loss = head(own, labels[first:last], norms)
        loss.backward()
    sampled = {}
    if head.sampled:
        rows, gradient = sampled_gradient(head.sampled)
        sampled = {"rows": head.start + rows, "gradient": gradient}
    return {
        **sampled,
        "loss": loss.item(),
        "embedding": own.grad,
        "centres": head.centres.grad,
        "norms": norms.grad,
        "state": head.margin_state.clone(),
    }


def worker(rank: int, processes: int, folder: str, steps: int) -> None:
    """One process: every case, or, where `steps` is not 0, a run of so many steps (see train)."""
    torch.set_num_threads(1)
    warnings.resetwarnings()  # as in an interpreter of its own: newer releases of PyTorch rename what older ones need
    dist.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=processes)
    group = dist.group.WORLD
    assert group is not None
    found = train(group, steps, Path(folder).parent / "whole.pt") if steps else run_cases(group)
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def run_cases(group: dist.ProcessGroup) -> dict[str, Any]:
    exact = [run_case(head_of(config_of(*case), group), 2) for case in CASES]
    sampled = [
        run_case(head_of(config_of(margin, 2, False, False, 64.0), group, RATE), 2) for margin in MARGINS
    ]
    rank = dist.get_rank(group)
    few = head_of(HeadConfig(2, ArcFace(), SIZE, 2), group)  # with 3 processes one holds no class
    own = batch()[0][rank : rank + 1].clone().requires_grad_()
    loss = few(own, torch.tensor([rank % 2]))
    loss.backward()
    with pytest.raises(UsageError, match="sample rate"):
        ShardedHead(few.config, group, sample_rate=0)
    with pytest.raises(UsageError, match="labels"):
        few(own, torch.tensor([2, 1]))
    result = {"loss": loss.item(), "embedding": own.grad, "centres": few.centres.grad}
    return {"exact": exact, "sampled": sampled, "few": result}


def train(group: dist.ProcessGroup, steps: int, before: Path) -> dict[str, Any]:
    """A run with momentum, saved whole at its end."""
    head = head_of(config_of(CurricularFace(momentum=0.2), 4, False, False, 64.0), group)
    momentum = torch.zeros_like(head.centres)
    if before.exists():
        state = torch.load(before, weights_only=True)
        momentum = own_part(state["momentum"], momentum, CLASSES, group)
        head.centres.data = own_part(state["centres"], head.centres, CLASSES, group)
        head.margin_state.copy_(state["margin_state"])
    for _ in range(steps):
        head.centres.grad = None
        run_case(head, 1)
        with torch.no_grad():
            momentum.mul_(0.9).add_(head.centres.grad)
            head.centres -= 0.01 * momentum
    whole = whole_head(head)
    whole_momentum = whole_shards(momentum, CLASSES, group)
    return {**whole, "momentum": whole_momentum} if whole else {}


def head_of(config: HeadConfig, group: dist.ProcessGroup, rate: float = 1.0) -> ShardedHead:
    head = ShardedHead(config, group, rate, seed=4)
    head.centres.data = head.centres.data.double()
    return head


def start(processes: int, folder: Path, steps: int = 0) -> list[dict[str, Any]]:
    """What each process left."""
    folder.mkdir()
    # A fork has PyTorch already; each new interpreter would import it for seconds.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads
        mp.start_processes(worker, (processes, str(folder), steps), nprocs=processes, start_method="fork")
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(processes)]


@pytest.fixture(scope="module", params=[1, 2, 3])
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return start(request.param, tmp_path_factory.mktemp("run") / "processes")


def one_process(config: HeadConfig) -> Head:
    head = Head(config, torch.Generator().manual_seed(4))
    head.centres.data = head.centres.data.double()
    return head


def assert_equal(got: list[dict[str, Any]], loss: Tensor, embedding: Tensor, centres: Tensor) -> None:
    for result in got:
        assert result["loss"] == pytest.approx(loss.item(), rel=1e-11)
    torch.testing.assert_close(
        torch.cat([result["embedding"] for result in got]), embedding, rtol=1e-9, atol=1e-9
    )
    torch.testing.assert_close(
        torch.cat([result["centres"] for result in got], 1), centres, rtol=1e-9, atol=1e-9
    )


def test_exact_head_equals_one_process(results: list[dict[str, Any]]) -> None:
    for number, case in enumerate(CASES):
        head = one_process(config_of(*case))
        embedding, labels, norms = batch()
        embedding.requires_grad_()
        norms.requires_grad_(isinstance(case[0], MagFace))
        for _ in range(2):
            embedding.grad = head.centres.grad = norms.grad = None
            loss = head(embedding, labels, norms)
            loss.backward()
        got = [result["exact"][number] for result in results]
        assert_equal(got, loss, embedding.grad, head.centres.grad)
        if norms.grad is not None:
            of_norms = torch.cat([result["norms"] for result in got])
            torch.testing.assert_close(of_norms, norms.grad, rtol=1e-9, atol=1e-9)
        for result in got:
            torch.testing.assert_close(result["state"], head.margin_state)


def test_sampled_head_equals_the_literal_formula_on_the_sample(results: list[dict[str, Any]]) -> None:
    for number, margin in enumerate(MARGINS):
        got = [result["sampled"][number] for result in results]
        sample = torch.cat([one["rows"] for one in got])
        assert sample.tolist() == sorted(set(sample.tolist()))
        head = one_process(config_of(margin, 2, False, False, 64.0))
        embedding, labels, norms = batch()
        embedding.requires_grad_()
        head.logits(embedding, labels, norms)  # the margin's state moves by the whole batch, sampled or not
        logits = head.logits(embedding, labels, norms)[:, :, sample]
        positions = torch.searchsorted(sample, labels)
        loss = cross_entropy(logits[0], positions) + cross_entropy(logits[1], positions)
        if isinstance(margin, MagFace):
            length = norms.clamp(17, 23)
            loss = loss + 35 * (1 / length + length / 23**2).mean()
        loss.backward()
        for one in got:
            assert one["loss"] == pytest.approx(loss.item(), rel=1e-11) and one["centres"] is None
        embedded = torch.cat([one["embedding"] for one in got])
        torch.testing.assert_close(embedded, embedding.grad, rtol=1e-9, atol=1e-9)
        gradient = torch.cat([one["gradient"] for one in got], 1)
        torch.testing.assert_close(gradient, head.centres.grad[:, sample], rtol=1e-9, atol=1e-9)


def test_fewer_classes_than_processes(results: list[dict[str, Any]]) -> None:
    head = one_process(HeadConfig(2, ArcFace(), SIZE, 2))
    embedding = batch()[0][: len(results)].requires_grad_()
    loss = head(embedding, torch.arange(len(results)) % 2)
    loss.backward()
    assert_equal([result["few"] for result in results], loss, embedding.grad, head.centres.grad)


def test_resuming_with_another_number_of_processes(tmp_path: Path) -> None:
    """Two steps in 3 processes, then two in 2, equal four in 1: centres, momentum, state."""
    alone = start(1, tmp_path / "alone", 4)[0]
    first, *others = start(3, tmp_path / "three", 2)
    assert not any(others)
    torch.save(first, tmp_path / "whole.pt")
    changing = start(2, tmp_path / "two", 2)[0]
    for name in ("centres", "margin_state", "momentum"):
        torch.testing.assert_close(alone[name], changing[name], rtol=1e-9, atol=1e-9)


def test_shards_cover_all_classes_once() -> None:
    for classes, processes in itertools.product(range(1, 12), range(1, 6)):
        bounds = [shard_bounds(classes, rank, processes) for rank in range(processes)]
        assert [c for start, stop in bounds for c in range(start, stop)] == list(range(classes))
        sizes = [stop - start for start, stop in bounds]
        assert max(sizes) - min(sizes) <= 1


def test_samples_hold_the_own_classes_and_are_repeatable() -> None:
    def drawn(seed: int, share: float) -> Tensor:
        torch.manual_seed(seed)
        return sample_rows(labels, 100, share)

    labels = torch.tensor([5, 99, 5, 0, -3, 100])  # the last two are other processes'
    sample = drawn(7, 0.2)
    assert sample.tolist() == sorted(set(sample.tolist()))
    assert len(sample) == 20
    assert {0, 5, 99} <= set(sample.tolist())
    assert torch.equal(sample, drawn(7, 0.2))
    assert not torch.equal(sample, drawn(8, 0.2))
    few = drawn(7, 0.01).tolist()
    assert len(few) == len(labels) and {0, 5, 99} <= set(few)  # never fewer than faces
    assert (
        len(drawn(7, 1.0)) == 100
        and len(sample_rows(labels, 2, 0.1)) == 2
        and not len(sample_rows(labels, 0, 0.1))
    )
    counts = torch.zeros(100)
    for seed in range(400):
        counts[drawn(seed, 0.2)] += 1
    others = counts[[c for c in range(100) if c not in (0, 5, 99)]]
    assert others.mean().item() == pytest.approx(400 * 17 / 97)
    assert others.min() > 40  # 70 expected, deviation 7.6


def test_parts_of_a_step_share_their_rows() -> None:
    """Rows that took part in two parts get the sum."""
    parts = []
    for rows in ([1, 4], [0, 4, 7]):
        leaf = torch.rand(2, len(rows), 3).requires_grad_()
        leaf.grad = torch.rand(2, len(rows), 3)
        parts.append(Sampled(torch.tensor(rows), leaf))
    rows, gradient = sampled_gradient(parts)
    assert rows.tolist() == [0, 1, 4, 7]
    first, second = (part.centres.grad for part in parts)
    wanted = torch.stack([second[:, 0], first[:, 0], first[:, 1] + second[:, 1], second[:, 2]], 1)
    torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
def test_a_step_of_rows_is_that_of_the_optimiser_and_the_others_stay(momentum: float, nesterov: bool) -> None:
    """Against torch's SGD on the rows alone, over several steps with other rows each."""
    if nesterov and not momentum:
        return
    whole = torch.nn.Parameter(torch.rand(2, 6, 3))
    wanted = whole.detach().clone()
    settings = {"lr": 0.1, "momentum": momentum, "nesterov": nesterov, "weight_decay": 0.01}
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    optimiser.add_param_group({"params": [whole], **settings})
    singles = [torch.nn.Parameter(wanted[:, row].clone()) for row in range(6)]
    oracles = [torch.optim.SGD([single], **settings) for single in singles]
    for rows in ([0, 2, 5], [2, 3], [0, 1, 2, 3], [5]):
        gradient = torch.rand(2, len(rows), 3)
        step_rows(optimiser, whole, torch.tensor(rows), gradient)
        for place, row in enumerate(rows):
            singles[row].grad = gradient[:, place].clone()
            oracles[row].step()
        torch.testing.assert_close(whole.detach(), torch.stack([one.detach() for one in singles], 1))
    assert (not memories(optimiser, whole)) == (momentum == 0)


def test_shards_go_out_and_come_back_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two slices of five classes, two classes a piece; in one process the shard is the whole."""
    monkeypatch.setattr(shards, "PIECE", 2 * 3 * 4)
    whole = torch.arange(30, dtype=torch.float32).view(2, 5, 3)
    parts = list(shards.parts_of_shards(whole, 5, None))
    assert [len(part) for part in parts] == [2, 2, 1, 2, 2, 1]
    assert torch.equal(torch.cat(parts), whole.view(10, 3))
    back = torch.zeros_like(whole)
    shards.fill_shards(back, 5, None, lambda first, count: whole.view(10, 3)[first : first + count])
    assert torch.equal(back, whole)
