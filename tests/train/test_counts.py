"""What a step costs where it cannot be timed: operations, collectives, and times that the host waits for the device.

Counted with PyTorch's profiler and on the calls of its Python interface, on processors; the head with the sizes of
memory that it takes on a GPU. On a GPU each operation is one launch or a few, and each wait empties its queue.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name
from torch.profiler import ProfilerActivity, profile

from multiface.train import buckets
from multiface.train.average import Average
from multiface.train.building import build_head, build_network, head_config
from multiface.train.heads.blocks import BlockSizes
from multiface.train.heads.head import Head, HeadConfig
from multiface.train.heads.margins import AdaFace, ArcFace, CurricularFace, Margin
from multiface.train.loss_scale import LossScale
from multiface.train.optimiser import build_optimiser, groups
from multiface.train.processes import Place
from multiface.train.recipe import HeadSettings, NetworkConfig, OptimiserConfig, StartConfig
from multiface.train.step import Learner, add_gradients, finish_step, set_mode
from tests.train.several import joined

WAITING = {
    "item", "tolist", "cpu", "nonzero", "unique", "masked_select", "equal", "allclose", "is_nonzero",
    "__bool__", "__float__", "__int__", "__index__", "__contains__",
}  # fmt: skip
"""What reads a number back, or whose result's size only the device knows."""
WAITING_INSIDE = {"aten::_local_scalar_dense", "aten::nonzero", "aten::_unique2", "aten::is_nonzero"}


FREE = {
    f"aten::{name}"
    for name in (
        "detach", "view", "reshape", "select", "split_with_sizes", "contiguous", "transpose", "promote_types", "to",
        "empty", "empty_like", "new_empty", "slice", "alias", "unsqueeze", "expand", "resolve_conj", "resolve_neg",
        "permute", "as_strided", "t", "numpy_T", "unbind", "narrow", "view_as", "expand_as", "result_type", "split",
    )
}  # fmt: skip
"""What changes nothing but the view of a tensor, unless it has to copy."""


class Waits(TorchFunctionMode):
    """Notes each call for which the host would wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_function__(
        self, func: Callable[..., Any], _types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = (resolve_name(func) or getattr(func, "__name__", "")).rpartition(".")[2]
        masked = name in ("__getitem__", "__setitem__") and _is_mask(args[1])
        if name in WAITING or masked:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def _is_mask(index: object) -> bool:
    every: Iterable[object] = index if isinstance(index, tuple) else (index,)
    return any(isinstance(one, Tensor) and one.dtype == torch.bool for one in every)


def counted(work: Callable[[], object]) -> dict[str, Any]:
    """Operations (outermost ones), collectives by name, and waits, of the second of two calls."""
    work()
    waits = Waits()
    with waits:
        work()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        work()
    events = [event for event in profiled.events() or [] if event.name.startswith(("aten::", "c10d::"))]
    outer = [event for event in events if not _inside_another(event) and _works(event)]
    return {
        "operations": sum(event.name.startswith("aten::") for event in outer),
        "collectives": dict(Counter(event.name for event in events if event.name.startswith("c10d::"))),
        "waits": waits.found,
        "inside": sum(event.name in WAITING_INSIDE for event in events),
        "names": dict(Counter(event.name for event in outer)),
    }


def _inside_another(event: Any) -> bool:
    parent = event.cpu_parent
    while parent is not None:
        if parent.name.startswith(("aten::", "c10d::")):
            return True
        parent = parent.cpu_parent
    return False


def _works(event: Any) -> bool:
    """Whether it launches anything."""
    if event.name not in FREE:
        return True
    below = list(event.cpu_children)
    while below:
        child = below.pop()
        if child.name == "aten::copy_":
            return True
        below += child.cpu_children
    return False


def learner_of(
    place: Place, margin: Margin, precision: str = "float32", clip: float = 1e-3, share: float = 1.0
) -> Learner:
    torch.manual_seed(0)
    network = build_network(NetworkConfig(width=0.1, embedding=16))
    config = head_config(HeadSettings(margin, slices=4, scale=16.0), 16, 50)
    head = build_head(config, share, 1, place.group)
    head.sizes = BlockSizes.fitting(4, 1024, 128, torch.float32, "cuda")
    settings = OptimiserConfig(rate=0.01, clip=clip)
    optimiser = build_optimiser(groups(network, head, settings, 1.0), settings)
    set_mode(network, StartConfig())
    scale = LossScale(2.0**4) if precision == "fp16" else None
    return Learner(network, head.train(), optimiser, scale, place, precision, clip=clip)  # type: ignore[arg-type]


def step_of(learner: Learner, parts: int = 1) -> Callable[[], object]:
    """A whole step, as the loop does it, with an average of the weights."""
    average = Average(learner.network, 0.9)
    pictures, labels = torch.randn(4, 3, 112, 112), torch.arange(4)
    counts = [4] * learner.place.processes

    def work() -> None:
        losses = [add_gradients(learner, pictures, labels, parts, part, counts)[0] for part in range(parts)]
        assert finish_step(learner, torch.stack(losses).mean()).learned
        average.update(0)

    return work


@pytest.mark.parametrize(
    "margin", [ArcFace(0.3), AdaFace(), CurricularFace()], ids=lambda m: type(m).__name__
)
def test_a_step_in_one_process_waits_once(margin: Margin) -> None:
    found = counted(step_of(learner_of(Place(torch.device("cpu")), margin)))
    assert found["waits"] == ["tolist"] and found["inside"] == 0 and not found["collectives"]


def test_a_step_in_half_precision_and_parts_waits_once() -> None:
    place = Place(torch.device("cpu"))
    found = counted(step_of(learner_of(place, ArcFace(0.3), "fp16", clip=0.0), parts=3))
    assert found["waits"] == ["tolist"] and found["inside"] == 0


def test_norm_update_and_average_are_a_few_operations_whatever_the_number_of_tensors() -> None:
    learner = learner_of(Place(torch.device("cpu")), ArcFace(0.3))
    average = Average(learner.network, 0.9)
    tensors = len(list(learner.network.parameters()))
    assert tensors > 140

    def after_backward() -> None:
        for parameter in (*learner.network.parameters(), learner.head.centres):
            parameter.grad = torch.zeros_like(parameter)
        finish_step(learner, torch.zeros(()))
        average.update(0)

    made = tensors + 1  # gradients of this test
    found = counted(after_backward)
    assert found["operations"] - made <= 60, found["names"]


@pytest.mark.parametrize("share", [1.0, 0.5], ids=["exact", "sampled"])
def test_several_processes_wait_once_and_share_gradients_in_one_collective(
    tmp_path: Path, share: float
) -> None:
    """One all-gather, three all-reduces of the head (cosines, sums, embeddings), one of all gradients."""

    def one(place: Place) -> None:
        found = counted(step_of(learner_of(place, ArcFace(0.3), share=share)))
        (tmp_path / f"{place.rank}.json").write_text(json.dumps(found))

    assert joined(2, tmp_path / "said", one) == ["", ""]
    for rank in (0, 1):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert found["waits"] == ["tolist"] and found["inside"] == 0, found
        assert found["collectives"] == {"c10d::_allgather_base_": 1, "c10d::allreduce_": 4}


def test_buckets_set_off_while_backward_is_at_work_and_change_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one(place: Place) -> None:
        states = []
        for size in (1 << 30, 1 << 14):
            monkeypatch.setattr(buckets, "BUCKET_BYTES", size)
            # Without a clip: its norm is summed bucket by bucket, in another order.
            learner = learner_of(place, ArcFace(0.3), clip=0.0)
            work = step_of(learner, parts=2)
            for _ in range(3):
                work()
            states.append({**learner.network.state_dict(), "centres": learner.head.centres.detach()})
        assert [name for name in states[0] if not torch.equal(states[0][name], states[1][name])] == []
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            work()
        events = sorted(profiled.events() or [], key=lambda event: event.time_range.start)
        names = [event.name for event in events]
        last = max(i for i, name in enumerate(names) if name == "aten::convolution_backward")
        assert learner.buckets is not None
        count = len(learner.buckets.gradients)
        # Two parts, each with the head's three; then a bucket each, all but the last one before backward's end.
        assert names.count("c10d::allreduce_") == 6 + count and count > 4
        assert names[:last].count("c10d::allreduce_") == 6 + count - 1

    assert joined(2, tmp_path, one) == ["", ""]


def test_the_head_of_85742_classes_over_eight_is_at_most_100_operations(tmp_path: Path) -> None:
    """Batch 1024, four slices of 128: on a GPU the 10,718 classes of a process are one block, so that as many classes
    as this test has are as many operations; forward, backward and collectives in a group of two."""
    sizes = BlockSizes.fitting(4, 1024, 128, torch.float32, "cuda")
    assert sizes.block >= 10_718 and sizes.kept >= 10_718 and sizes.together == 4

    def one(place: Place) -> None:
        config = HeadConfig(40, ArcFace(0.3), 32, 4)
        assert place.group is not None
        head = build_head(config, 1.0, 0, place.group)
        head.sizes = sizes
        embedding = torch.nn.functional.normalize(torch.randn(6, 32)).requires_grad_()
        labels = torch.arange(6)

        def work() -> None:
            embedding.grad = head.centres.grad = None
            loss: Tensor = head(embedding, labels, None, [6, 6])
            loss.backward()  # type: ignore[no-untyped-call]

        (tmp_path / f"{place.rank}.json").write_text(json.dumps(counted(work)))

    assert joined(2, tmp_path / "said", one) == ["", ""]
    for rank in (0, 1):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert found["operations"] + sum(found["collectives"].values()) <= 100, found
        assert found["waits"] == [] and found["inside"] == 0
        assert found["collectives"] == {"c10d::_allgather_base_": 1, "c10d::allreduce_": 3}


def test_all_slices_at_once_are_the_slices_one_by_one() -> None:
    """The way of a GPU against that of a processor: loss and gradients, in one block and in several."""
    config = HeadConfig(30, CurricularFace(), 24, 4)
    head = Head(config, torch.Generator().manual_seed(1)).double()
    embedding = torch.nn.functional.normalize(torch.randn(7, 24, dtype=torch.float64)).requires_grad_()
    labels = torch.randint(30, (7,))
    found = []
    for sizes in (None, BlockSizes(30, 30, 4), BlockSizes(7, 14, 4), BlockSizes(8, 0, 3)):
        head.sizes = sizes
        head.margin_state.fill_(0.2)
        loss = head(embedding, labels)
        found.append((loss, *torch.autograd.grad(loss, (embedding, head.centres))))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)
