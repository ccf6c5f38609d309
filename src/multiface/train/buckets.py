"""The network's gradients in a few flat tensors, summed over processes while backward is still at work.

Gradients become ready from the last layer to the first. So the parameters, in that order, are cut into buckets of
about BUCKET_BYTES; once all gradients of a bucket are there they move into it, in one operation, and it sets off.
The last one waits for the end of backward and takes along what else must be summed: the batch norms' statistics and a
few numbers. Buckets go in the same order in all processes.

Source: Li et al. 2020, "PyTorch Distributed" (arXiv:2006.15704), section 3.2.
"""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from multiface.train.building import BATCH_NORMS

BUCKET_BYTES = 32 << 20
NUMBERS = 2
"""Numbers that travel behind the statistics."""


@dataclass(slots=True, eq=False)
class _Bucket:
    """flat: gradients of `parameters`, one behind the other, and in the last bucket what travels along behind them.
    gradients: their part of it; views: of each. missing: parameters whose gradients are not ready yet.
    """

    parameters: list[nn.Parameter]
    views: list[Tensor]
    flat: Tensor
    gradients: Tensor
    missing: int = 0


class Buckets:
    """The gradients of a network's parameters that learn, over a group of processes."""

    def __init__(self, network: nn.Module, group: dist.ProcessGroup) -> None:
        """network: in its final mode, type and memory format: which batch norms move is looked at here."""
        self._group = group
        norms = [m for m in network.modules() if isinstance(m, BATCH_NORMS) and m.training]
        self._statistics = [b for norm in norms for b in norm.buffers() if b.is_floating_point()]
        learning = [p for p in network.parameters() if p.requires_grad]
        self._buckets = _cut(learning[::-1], NUMBERS + sum(one.numel() for one in self._statistics))
        self._sent: list[dist.Work] = []
        self._sending = False
        for number, bucket in enumerate(self._buckets):
            for parameter in bucket.parameters:
                parameter.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                    lambda _, number=number: self._ready(number)
                )

    @property
    def gradients(self) -> list[Tensor]:
        """The flat gradients, each of a bucket."""
        return [bucket.gradients for bucket in self._buckets]

    def send(self) -> None:
        """From now on full buckets set off: before backward of the last part of a step."""
        self._sending = True
        self._sent.clear()
        for bucket in self._buckets:
            bucket.missing = len(bucket.parameters)

    def finish(self, numbers: Tensor) -> Tensor:
        """Sends the rest and waits; the sums over processes of these (NUMBERS,). Statistics are averaged."""
        last = self._buckets[-1]
        tail = last.flat[last.gradients.numel() :]
        pieces = torch.split(tail, [*(one.numel() for one in self._statistics), NUMBERS])
        views = [piece.view(one.shape) for piece, one in zip(pieces, self._statistics, strict=False)]
        torch._foreach_copy_([*views, pieces[-1]], [*self._statistics, numbers])
        for bucket in self._buckets[len(self._sent) :]:
            self._send(bucket)
        for work in self._sent:
            work.wait()
        if views:
            tail[:-NUMBERS].div_(dist.get_world_size(self._group))
            torch._foreach_copy_(self._statistics, views)
        self._sending = False
        return pieces[-1]

    def _ready(self, number: int) -> None:
        if not self._sending:
            return
        self._buckets[number].missing -= 1
        # In their order, and the last one with what travels along.
        for bucket in self._buckets[len(self._sent) : -1]:
            if bucket.missing:
                return
            self._send(bucket)

    def _send(self, bucket: _Bucket) -> None:
        gradients = [
            torch.zeros_like(view) if parameter.grad is None else parameter.grad
            for parameter, view in zip(bucket.parameters, bucket.views, strict=True)
        ]
        torch._foreach_copy_(bucket.views, gradients)
        for parameter, view in zip(bucket.parameters, bucket.views, strict=True):
            parameter.grad = view
        work = dist.all_reduce(bucket.flat, dist.ReduceOp.SUM, self._group, async_op=True)
        assert work is not None
        self._sent.append(work)


def _cut(parameters: list[nn.Parameter], behind: int) -> list[_Bucket]:
    """Parameters, in their order, to buckets; room for so many numbers behind the last one's gradients."""
    groups: list[list[nn.Parameter]] = [[]]
    room = BUCKET_BYTES
    for parameter in parameters:
        size = parameter.numel() * parameter.element_size()
        if groups[-1] and size > room:
            groups.append([])
            room = BUCKET_BYTES
        groups[-1].append(parameter)
        room -= size
    return [_bucket(group, behind if group is groups[-1] else 0) for group in groups]


def _bucket(parameters: list[nn.Parameter], behind: int) -> _Bucket:
    size = sum(parameter.numel() for parameter in parameters)
    flat = torch.zeros(size + behind, dtype=parameters[0].dtype, device=parameters[0].device)
    views, start = [], 0
    for parameter in parameters:
        # In the parameter's own memory format, channels last too.
        views.append(flat[start : start + parameter.numel()].as_strided(parameter.shape, parameter.stride()))
        start += parameter.numel()
    return _Bucket(parameters, views, flat, flat[:size])
