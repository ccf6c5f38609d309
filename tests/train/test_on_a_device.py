"""What the heads do on a device, proven where there is none: tensors of PyTorch's `meta` device have shapes, no values.

So whoever reads one back fails, as must whoever makes a tensor elsewhere. Communication is PyTorch's fake group, which
answers at once. Sizes are those of a large run: 400,000 people over eight GPUs, in two blocks.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from multiface.train.heads.blocks import BlockSizes, products_of
from multiface.train.heads.head import HeadConfig
from multiface.train.heads.margins import ArcFace, CurricularFace, MagFace, Margin, UniFace
from multiface.train.heads.sampling import sampled_gradient
from multiface.train.heads.sharded import ShardedHead
from multiface.train.optimiser import step_rows
from tests.train.several import forked

CLASSES, PROCESSES, FACES = 400_000, 8, 128
META = torch.device("meta")


class OnlyOn(TorchDispatchMode):
    """Raises for an operation that makes or is given a tensor elsewhere; single numbers may come from the host."""

    def __torch_dispatch__(
        self, func: Any, _types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for one in torch.utils._pytree.tree_leaves((args, kwargs, out)):
            if isinstance(one, Tensor) and one.device != META and one.ndim:
                raise AssertionError(f"{func}: {tuple(one.shape)} on {one.device}")
        return out


def in_a_fake_group(tmp_path: Path, work: Callable[[dist.ProcessGroup], None]) -> None:
    def one(_: int) -> None:
        from torch.testing._internal.distributed.fake_pg import FakeStore

        dist.init_process_group("fake", store=FakeStore(), rank=1, world_size=PROCESSES)
        torch.autocast = lambda *_, **__: contextlib.nullcontext()  # type: ignore[assignment, misc]  # meta has none
        assert dist.group.WORLD is not None
        work(dist.group.WORLD)

    assert forked(1, tmp_path, one) == [""]


def step(group: dist.ProcessGroup, margin: Margin, subcentres: int, share: float, adam: bool) -> None:
    """Forward, backward and update of a head, all of it watched."""
    with META:
        config = HeadConfig(CLASSES, margin, 512, 4, subcentres=subcentres)
        head = ShardedHead(config, group, share)
        embedding = torch.randn(FACES, 512, dtype=torch.bfloat16).requires_grad_()
        labels, norms = torch.zeros(FACES, dtype=torch.int64), torch.ones(FACES)
    parameters = list(head.parameters())
    optimiser = torch.optim.AdamW(parameters) if adam else torch.optim.SGD(parameters, 0.1, momentum=0.9)
    with OnlyOn():
        loss = head(embedding, labels, norms, [FACES] * PROCESSES)
        assert loss.dtype == torch.float32
        loss.backward()
        if share == 1:
            assert head.centres.grad is not None and head.centres.grad.shape == head.centres.shape
            return
        rows, gradient = sampled_gradient(head.sampled)
        assert head.centres.grad is None
        assert gradient.shape == (4, round(share * CLASSES / PROCESSES), config.row_size)
        step_rows(optimiser, head.centres, rows, gradient)


@pytest.mark.parametrize(
    "margin", [ArcFace(0.5), CurricularFace(), MagFace(), UniFace()], ids=lambda m: type(m).__name__
)
def test_nothing_is_read_back_and_nothing_made_elsewhere(tmp_path: Path, margin: Margin) -> None:
    def work(group: dist.ProcessGroup) -> None:
        for subcentres, share, adam in ((1, 1.0, False), (1, 0.1, False), (3, 0.1, True)):
            step(group, margin, subcentres, share, adam)

    in_a_fake_group(tmp_path, work)


def test_the_watch_sees_what_is_read_back_or_made_elsewhere() -> None:
    """Else the tests above would prove nothing."""
    here = torch.zeros(3, device=META)
    with OnlyOn(), pytest.raises(RuntimeError, match="meta"):
        here.sum().item()
    with OnlyOn(), pytest.raises(AssertionError, match="on cpu"):
        torch.zeros(3)


@pytest.mark.parametrize("batch", [128, 1024, 8192])
@pytest.mark.parametrize("slices", [1, 4])
def test_blocks_on_a_gpu_are_half_a_gigabyte_of_all_slices(batch: int, slices: int) -> None:
    sizes = BlockSizes.fitting(slices, batch, 128, torch.float32, "cuda")
    assert sizes.together == slices
    assert 0.99 * 2**29 <= 4 * slices * sizes.block * batch <= 2**29
    assert sizes.kept % sizes.block == 0 and 4 * slices * sizes.kept * batch <= 2**31


def test_products_are_in_tf32_on_a_gpu_alone() -> None:
    before = torch.get_float32_matmul_precision()
    with products_of(torch.device("cuda")):
        assert torch.get_float32_matmul_precision() == "high"
    with products_of(torch.device("cpu")):
        assert torch.get_float32_matmul_precision() == before
    assert torch.get_float32_matmul_precision() == before
