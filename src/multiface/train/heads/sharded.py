"""Class centres divided over processes, exact or with sampled negatives (Partial FC).

Letters: B faces of all processes, B_r of process r (may differ), D embedding, N slices of d = D / N, C
classes of K sub-centres (mostly 1), C_r classes of process r: C // P, one more in the first C mod P of P processes
(may be 0).

Every process embeds its own B_r faces, gathers all B embeddings, and computes the loss of all of them over
its own C_r classes; sums of exponentials are added up over processes. The loss is the mean over all B faces,
and is the same in every process. Gradients: those of the centres C_r are complete. The gradient of an
embedding is that of the whole loss by this row, so a network's gradients must be SUMMED over processes; a
wrapper that averages them (DDP) wants the embeddings' gradient multiplied by the number of processes. The
head itself must not be wrapped.

With sampled negatives (Partial FC, see sampling.py) each process lets `sample_rate` of its classes take part.

State: the centres are saved whole and cut anew when loaded (see shards.py), so that a run may go on with another
number of processes; margin_state is equal everywhere.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from multiface.errors import UsageError
from multiface.train.heads.blocks import BlockSizes
from multiface.train.heads.chunked import blocked_loss
from multiface.train.heads.head import (
    LONGEST,
    HeadConfig,
    check_batch,
    first_centres,
    step_margin,
    threshold_of,
)
from multiface.train.heads.margins import UniFace, first_state
from multiface.train.heads.sampling import Sampled, sample_rows
from multiface.train.heads.shards import shard_bounds
from multiface.train.heads.sliced import split, target_cosines
from multiface.train.heads.unified import Settings, unified_loss


class ShardedHead(nn.Module):
    """A head whose classes are divided over the processes of a group; equal to head.Head in one process.

    centres: parameter (N, C_r, K d), float32; begins as this process's part of the random unit vectors.
    margin_state, threshold, sizes: as in Head; the threshold's gradient is the same in every process, and complete.
    sampled: what took part since the last `clear`, where classes are sampled; their gradients are there, not in
        centres.grad.
    """

    margin_state: Tensor

    def __init__(
        self,
        config: HeadConfig,
        group: dist.ProcessGroup,
        sample_rate: float = 1.0,
        seed: int = 0,
    ) -> None:
        """sample_rate: share of the classes that takes part in a step, in (0, 1]; 1 is exact.
        seed: of the first centres; the same in every process.
        """
        super().__init__()
        if not 0 < sample_rate <= 1:
            raise UsageError(f"head: sample rate must be above 0 and at most 1, not {sample_rate}")
        self.config = config
        self.group = group
        self.sample_rate = sample_rate
        self.start, self.stop = shard_bounds(config.classes, dist.get_rank(group), dist.get_world_size(group))
        generator = torch.Generator().manual_seed(seed)
        self.centres = nn.Parameter(first_centres(config, self.start, self.stop, generator))
        self.register_buffer("margin_state", first_state(config.margin, config.slices))
        self.threshold = threshold_of(config, sample_rate)
        self.sampled: list[Sampled] = []
        self.sizes: BlockSizes | None = None

    def forward(
        self,
        embedding: Tensor,
        labels: Tensor,
        norms: Tensor | None = None,
        counts: Sequence[int] | None = None,
    ) -> Tensor:
        """This process's unit embeddings (B_r, D), labels (B_r,) int64 in 0..C-1, norms (B_r,) to the loss, a
        scalar.

        counts: B_r of every process; asked for where None, for which the host waits for a GPU.
        B_r may differ between processes but is at least 1. Arguments are those of Head.forward; so are the
        errors, which a process raises before any collective: the others then wait for it.

        Collectives in forward: one all-gather of embeddings, labels and norms, padded to the largest B_r; one
        all-reduce of (N, B) target cosines and those of chunked.blocked_loss, or that of
        unified.unified_loss. In backward: one all-reduce of (B, D).
        """
        config = self.config
        check_batch(config, embedding, labels, norms)
        counts = faces_of_processes(embedding, self.group) if counts is None else list(counts)
        embedding, labels, norms = _Gather.apply(embedding, labels, norms, counts, self.group)  # type: ignore[no-untyped-call]

        centres: Tensor = self.centres
        labels = labels - self.start  # those outside 0..classes - 1 are other processes'
        classes = self.stop - self.start
        if self.sample_rate < 1 and self.training:
            rows = sample_rows(labels, classes, self.sample_rate)
            centres = self.centres.detach()[:, rows].requires_grad_(self.centres.requires_grad)
            self.sampled.append(Sampled(rows, centres))
            held = (labels >= 0) & (labels < classes)
            labels = torch.searchsorted(rows, labels).masked_fill_(~held, -1)
            classes = len(rows)

        parts = split(embedding, config.slices, config.normalise_slices)
        near = labels.clamp(0, max(classes - 1, 0))
        if isinstance(config.margin, UniFace) and self.threshold is not None:
            settings = Settings(config.margin.margin, config.scale, config.average, self.group, self.sizes)
            own = target_cosines(parts, centres, near) if classes else None
            return unified_loss(parts, centres, self.threshold, labels, settings, own)
        if classes:
            cosine, nearest = target_cosines(parts, centres, near)
            cosine = cosine.masked_fill_(near != labels, 0)
        else:
            nearest = None
            dtype = torch.promote_types(torch.promote_types(parts.dtype, centres.dtype), torch.float32)
            cosine = torch.zeros(parts.shape[:2], dtype=dtype, device=parts.device)
        dist.all_reduce(cosine, dist.ReduceOp.SUM, self.group)
        targets = step_margin(config.margin, self.margin_state, cosine, norms, self.training)
        loss = blocked_loss(
            parts,
            centres,
            labels,
            targets,
            config.scale,
            config.average,
            self.group,
            self.sizes,
            LONGEST,
            nearest,
        )
        return loss if targets.added is None or not self.training else loss + targets.added

    def clear(self) -> None:
        """Forgets what took part, and its gradients."""
        self.sampled.clear()


def faces_of_processes(embedding: Tensor, group: dist.ProcessGroup) -> list[int]:
    """Faces of each process."""
    own = torch.tensor([len(embedding)], device=embedding.device)
    counts = own.new_empty(dist.get_world_size(group))
    dist.all_gather_single(counts, own, group)
    return [int(count) for count in counts.tolist()]


def gather_rows(own: Sequence[Tensor], counts: list[int], group: dist.ProcessGroup) -> list[Tensor]:
    """Rows (B_r, ...) of several tensors from all processes, in the order of the processes: (B, ...) each.

    The bytes of a row of all tensors travel together, in one all-gather.
    """
    rows = len(own[0])
    packed = torch.cat([one.detach().reshape(rows, -1).contiguous().view(torch.uint8) for one in own], 1)
    largest = max(counts)
    if rows < largest:
        packed = torch.cat([packed, packed.new_zeros(largest - rows, packed.shape[1])])
    every = packed.new_empty(largest * len(counts), packed.shape[1])
    dist.all_gather_single(every, packed, group)
    if min(counts) < largest:
        every = torch.cat([every[k * largest : k * largest + count] for k, count in enumerate(counts)])
    sizes = [one.element_size() * (one.numel() // rows) for one in own]
    return [
        piece.contiguous().view(one.dtype).view(-1, *one.shape[1:])
        for one, piece in zip(own, torch.split(every, sizes, 1), strict=True)
    ]


class _Gather(torch.autograd.Function):
    """Embeddings (B_r, D), labels (B_r,) and norms (B_r,) of all processes to (B, D), (B,) and (B,).

    Backward: each process has its classes' share of the gradient of all B rows of embeddings; the shares are summed
    and each process keeps its own rows. That of the norms each process has whole. One all-gather in forward, one
    all-reduce in backward.
    """

    @staticmethod
    def forward(
        ctx: Any,
        embedding: Tensor,
        labels: Tensor,
        norms: Tensor | None,
        counts: list[int],
        group: dist.ProcessGroup,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        ctx.settings = (counts, group)
        given = [embedding, labels] if norms is None else [embedding, labels, norms]
        found = gather_rows(given, counts, group)
        ctx.mark_non_differentiable(found[1])
        return found[0], found[1], found[2] if norms is not None else None

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, share: Tensor, _: Tensor, of_norms: Tensor | None
    ) -> tuple[Tensor, None, Tensor | None, None, None]:
        counts, group = ctx.settings
        total = share.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, dist.ReduceOp.SUM, group)
        first = sum(counts[: dist.get_rank(group)])
        own = slice(first, first + counts[dist.get_rank(group)])
        return total[own], None, None if of_norms is None else of_norms[own], None, None
