"""The exact loss of a margin head, and all its gradients, without ever holding batch x classes x slices.

Letters: N slices, B faces, C classes (of this process), d dimensions of a slice, n classes of a block.
w a centre, u = w / ||w||, c = e u the cosine, s the scale, phi(c) the logit before the scale (c itself, but
for hard non-targets, see margins.py), z the target's logit before the scale.

    loss = 1/B sum_b (log Z_b - s z_b),    Z_b = exp(s z_b) + sum_{j != y_b} exp(s phi(c_bj))
    d loss / d c_bj = s/B exp(s phi(c_bj)) phi'(c_bj) / Z_b            for non-targets
    d loss / d c_by = s/B (exp(s z_b) / Z_b - 1) slope_b               for the target
    d loss / d w_j = (g - (g u) u) / ||w||  with  g = sum_b e_b d loss / d c_bj

Only the target's column knows a margin; all else is a plain exponential. So a slice takes two passes over
blocks of classes. The first makes E = exp(s phi(c)) from one product, sums it to Z, and adds E u to the
gradient of the embedding, which is divided by Z at the end (as a softmax is accumulated online: Milakov &
Gimelshein 2018, arXiv:1805.02867). The second multiplies E with the rows e_b s / (B Z_b): the gradient of the
centres. 1 / Z never touches E itself. E is kept for the second pass up to KEPT_BYTES, and made again beyond.
Three matrix products per class, four where E is made again; all gradients come with the loss, so that
backward only hands them out.

Exponentials need no running maximum where s ||e|| is small against the logarithm of the largest float (s = 64
and unit slices in float32: exp(64) 1e5 classes = 6e32); where it is not, one is kept per face.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable

from multiface.train.heads.margins import Targets
from multiface.train.networks.unit import SMALLEST_NORM

BLOCK_ELEMENTS = 1 << 20
"""Numbers in a block of logits (n x B) or of centres (n x d): 4 MB in float32.

Smaller blocks stay nearer to a core and are no faster; each operation on a block ends with all threads
waiting for the last, which on a busy machine costs more than the work.
"""

KEPT_BYTES = 64 << 20
"""Exponentials kept from the first pass to the second, in bytes, for one slice at a time."""


@dataclass(frozen=True, slots=True)
class BlockSizes:
    """Memory of the blocked loss: classes in a block, and classes whose exponentials are kept."""

    block: int
    kept: int

    @staticmethod
    def fitting(batch: int, size: int, dtype: torch.dtype) -> "BlockSizes":
        """Sizes for a batch of B faces and slices of d dimensions, held in `dtype`."""
        block = max(16, BLOCK_ELEMENTS // max(batch, size))
        return BlockSizes(block, KEPT_BYTES // (batch * dtype.itemsize) // block * block)


def blocked_loss(
    parts: Tensor,
    centres: Tensor,
    labels: Tensor,
    targets: Targets,
    scale: float,
    average: bool,
    group: dist.ProcessGroup | None = None,
    sizes: BlockSizes | None = None,
) -> Tensor:
    """Mean cross entropy over the batch, per slice, summed over the slices (or averaged): a scalar.

    parts: (N, B, d) slices of the embeddings; float32, float64, bfloat16 or float16.
    centres: (N, C, d), rows of any length; a zero row has cosine 0 with everything and gets no gradient.
    labels: (B,) int64; of classes of this process 0..C-1, anything else belongs to another process.
    targets: of the whole batch, (N, B), equal in every process.
    group: where given, each process holds other classes and the same batch; C may differ between processes
    and
        may be 0. The loss is that over all classes, the same everywhere; gradients of the centres are
        complete, gradients of `parts` are this process's share, to be summed over processes. Collectives: per
        slice one all-reduce of (B,) in forward (two where a running maximum is kept), none in backward.
    sizes: memory, chosen from B and d where None.

    Computed in float32 (float64 where an input is). Gradients flow to `parts` and `centres`, once: a gradient
    of the gradient raises. Holds at most about KEPT_BYTES plus a dozen blocks beside the gradients
    themselves.
    """
    logit, slope = targets.logit.detach(), targets.slope.detach()
    inputs = (labels, logit, slope, targets.hard_above, targets.hard_shift)
    settings = (scale, average, group, sizes, torch.is_grad_enabled())
    result: Tensor = _BlockedLoss.apply(parts, centres, *inputs, *settings)  # type: ignore[no-untyped-call]
    return result


class _BlockedLoss(torch.autograd.Function):
    """Gradients are made in forward. Backward hands them out once, and makes them anew if called again."""

    @staticmethod
    def forward(
        ctx: Any,
        parts: Tensor,
        centres: Tensor,
        labels: Tensor,
        logit: Tensor,
        slope: Tensor,
        hard_above: Tensor | None,
        hard_shift: Tensor | None,
        scale: float,
        average: bool,
        group: dist.ProcessGroup | None,
        sizes: BlockSizes | None,
        wanted: bool,
    ) -> Tensor:
        ctx.save_for_backward(parts, centres, labels, logit, slope, hard_above, hard_shift)
        ctx.settings = (scale, average, group, sizes)
        ctx.wanted = (wanted and ctx.needs_input_grad[0], wanted and ctx.needs_input_grad[1])
        targets = Targets(logit, slope, hard_above, hard_shift)
        loss, *gradients = _compute(
            parts, centres, labels, targets, scale, average, group, sizes, *ctx.wanted
        )
        ctx.gradients = gradients
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients = ctx.gradients
        ctx.gradients = None  # so that autograd may take them as they are, without a copy
        if gradients is None:
            parts, centres, labels, *rest = ctx.saved_tensors
            _, *gradients = _compute(parts, centres, labels, Targets(*rest), *ctx.settings, *ctx.wanted)
        if upstream.is_cuda or upstream.item() != 1:
            for gradient in gradients:
                if gradient is not None:
                    gradient.mul_(upstream)
        return (*gradients, *[None] * 10)


def _compute(
    parts: Tensor,
    centres: Tensor,
    labels: Tensor,
    targets: Targets,
    scale: float,
    average: bool,
    group: dist.ProcessGroup | None,
    sizes: BlockSizes | None,
    want_parts: bool,
    want_centres: bool,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Loss, gradient of parts (N, B, d) and of centres (N, C, d); None where not wanted."""
    slices, batch, size = parts.shape
    classes = centres.shape[1]
    dtype = torch.promote_types(torch.promote_types(parts.dtype, centres.dtype), torch.float32)
    sizes = sizes or BlockSizes.fitting(batch, size, dtype)
    with torch.autocast(parts.device.type, enabled=False):
        owned = _Owned.of(labels, classes, sizes.block)
        scratch = _Scratch.of(sizes, batch, size, classes, dtype, parts.device)
        weight = 1 / slices if average else 1.0
        grad_parts = torch.empty_like(parts, memory_format=torch.contiguous_format) if want_parts else None
        grad_centres = torch.empty_like(centres) if want_centres else None
        loss = torch.zeros((), dtype=dtype, device=parts.device)
        for i in range(slices):
            part = _Slice(
                embedding=parts[i].to(dtype).contiguous(),
                centres=centres[i],
                logit=targets.logit[i].to(dtype) * scale,
                slope=targets.slope[i].to(dtype),
                hard_above=None if targets.hard_above is None else targets.hard_above[i].to(dtype),
                hard_shift=None if targets.hard_shift is None else targets.hard_shift[i].to(dtype),
                scale=scale,
            )
            slice_loss, share = _slice_loss(
                part, owned, scratch, sizes, group, weight, want_parts, want_centres,
                None if grad_centres is None else grad_centres[i],
            )  # fmt: skip
            loss += slice_loss
            if grad_parts is not None:
                grad_parts[i] = share
    return loss, grad_parts, grad_centres


@dataclass(frozen=True, slots=True, eq=False)
class _Slice:
    """One slice of a batch: embedding (B, d), centres (C, d), scaled target logits (B,), and so on."""

    embedding: Tensor
    centres: Tensor
    logit: Tensor
    slope: Tensor
    hard_above: Tensor | None
    hard_shift: Tensor | None
    scale: float

    def bound(self) -> float:
        """No |logit| of a non-target exceeds this."""
        largest = torch.linalg.vector_norm(self.embedding, dim=1).max()
        if self.hard_shift is not None:
            largest = largest * (self.hard_shift.abs() + largest).clamp_min(1)
        return float(largest) * self.scale


@dataclass(frozen=True, slots=True, eq=False)
class _Owned:
    """The faces whose class is held here, in the order of their labels.

    faces, labels: (k,) rows of the batch, and their classes.
    bounds: block number b holds faces[bounds[b]:bounds[b + 1]].
    """

    faces: Tensor
    labels: Tensor
    bounds: list[int]

    @staticmethod
    def of(labels: Tensor, classes: int, block: int) -> "_Owned":
        ordered, faces = labels.sort()
        held = (ordered >= 0) & (ordered < classes)
        ordered, faces = ordered[held], faces[held]
        starts = torch.arange(0, classes + block, block, device=labels.device)
        return _Owned(faces, ordered, torch.searchsorted(ordered, starts).tolist())


@dataclass(frozen=True, slots=True, eq=False)
class _Scratch:
    """Buffers of one call: kept exponentials (kept, B), exponentials of a block (n, B), unit centres (n, d),
    1 / ||w|| (C,)."""

    kept: Tensor
    spare: Tensor
    unit: Tensor
    inverse: Tensor

    @staticmethod
    def of(
        sizes: BlockSizes, batch: int, size: int, classes: int, dtype: torch.dtype, device: torch.device
    ) -> "_Scratch":
        block = min(sizes.block, classes)
        return _Scratch(
            kept=torch.empty(min(sizes.kept, classes), batch, dtype=dtype, device=device),
            spare=torch.empty(block, batch, dtype=dtype, device=device),
            unit=torch.empty(block, size, dtype=dtype, device=device),
            inverse=torch.empty(classes, dtype=dtype, device=device),
        )


def _slice_loss(
    part: _Slice,
    owned: _Owned,
    scratch: _Scratch,
    sizes: BlockSizes,
    group: dist.ProcessGroup | None,
    weight: float,
    want_parts: bool,
    want_centres: bool,
    grad_centres: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Loss of one slice times weight, and its gradient by the embedding (B, d); fills grad_centres (C, d)."""
    e, scale = part.embedding, part.scale
    batch, classes = len(e), len(part.centres)
    bounded = part.bound() < 0.74 * math.log(torch.finfo(e.dtype).max)
    left = (e if part.hard_above is not None else e * scale).T.contiguous()  # (d, B)
    shift = (
        torch.zeros_like(part.logit) if bounded else part.logit.clone()
    )  # (B,), what exponents are less by
    total = torch.zeros_like(part.logit)  # (B,), sum of E over non-targets
    share = torch.zeros_like(e)  # (B, d), sum of E phi' u
    kept_shifts: list[Tensor] = []

    starts = range(0, classes, sizes.block)
    for number, start in enumerate(starts):
        stop = min(start + sizes.block, classes)
        w = part.centres[start:stop].to(e.dtype)
        inverse = scratch.inverse[start:stop]
        torch.linalg.vector_norm(w, dim=1, out=inverse)
        inverse.masked_fill_(inverse < SMALLEST_NORM, torch.inf).reciprocal_()
        u = torch.mul(w, inverse[:, None], out=scratch.unit[: stop - start])
        keep = stop <= len(scratch.kept) and want_centres
        out = scratch.kept[start:stop] if keep else scratch.spare[: stop - start]
        slopes = _logits(part, u, left, owned, number, start, out)
        if not bounded:
            higher = torch.maximum(shift, out.amax(0))
            shrink = (shift - higher).exp_()
            total.mul_(shrink)
            share.mul_(shrink[:, None])
            shift = higher
            out.sub_(shift)
        out.exp_()
        total.add_(out.sum(0))
        if slopes is not None:
            out.mul_(slopes)
        if want_parts:
            share.addmm_(out.T, u)
        if keep:
            kept_shifts.append(shift)

    if group is not None:
        if not bounded:
            highest = shift.clone()
            dist.all_reduce(highest, dist.ReduceOp.MAX, group)
            shrink = (shift - highest).exp_()
            total.mul_(shrink)
            share.mul_(shrink[:, None])
            shift = highest
        dist.all_reduce(total, dist.ReduceOp.SUM, group)
    own = (part.logit - shift).exp()
    total.add_(own)
    loss = (total.log() + shift - part.logit).mean() * weight
    factor = weight * scale / batch / total  # (B,)
    pull = weight * scale / batch * (own / total - 1) * part.slope  # (B,), d loss / d target cosine
    share.mul_(factor[:, None])
    if want_parts and len(owned.faces):
        w = part.centres[owned.labels].to(e.dtype)
        pulled = pull[owned.faces] * scratch.inverse[owned.labels]
        share.index_add_(0, owned.faces, w * pulled[:, None])
    if grad_centres is None:
        return loss, share

    direct = grad_centres.dtype == e.dtype
    rows = e * factor[:, None]
    for number, start in enumerate(starts):
        stop = min(start + sizes.block, classes)
        w = part.centres[start:stop].to(e.dtype)
        inverse = scratch.inverse[start:stop]
        if stop <= len(scratch.kept):
            exponentials = scratch.kept[start:stop]
            scaled = rows if bounded else rows * (kept_shifts[number] - shift).exp_()[:, None]
        else:
            u = torch.mul(w, inverse[:, None], out=scratch.unit[: stop - start])
            exponentials = scratch.spare[: stop - start]
            slopes = _logits(part, u, left, owned, number, start, exponentials)
            if not bounded:
                exponentials.sub_(shift)
            exponentials.exp_()
            if slopes is not None:
                exponentials.mul_(slopes)
            scaled = rows
        g = grad_centres[start:stop] if direct else torch.empty_like(w)
        torch.mm(exponentials, scaled, out=g)
        faces = owned.faces[owned.bounds[number] : owned.bounds[number + 1]]
        if len(faces):
            own_rows = owned.labels[owned.bounds[number] : owned.bounds[number + 1]] - start
            g.index_add_(0, own_rows, e[faces] * pull[faces, None])
        along = torch.mul(g, w, out=scratch.unit[: stop - start]).sum(1)
        along.mul_(inverse).mul_(inverse).mul_(inverse)
        g.mul_(inverse[:, None]).addcmul_(w, along[:, None], value=-1)
        if not direct:
            grad_centres[start:stop] = g
    return loss, share


def _logits(
    part: _Slice, u: Tensor, left: Tensor, owned: _Owned, number: int, start: int, out: Tensor
) -> Tensor | None:
    """Scaled logits of a block into `out` (n, B), -inf at targets; phi' (n, B), or None where it is 1."""
    torch.mm(u, left, out=out)
    slopes = None
    if part.hard_above is not None and part.hard_shift is not None:
        hard = out > part.hard_above
        slopes = torch.where(hard, part.hard_shift + 2 * out, 1.0)
        out.mul_(torch.where(hard, part.hard_shift + out, 1.0)).mul_(part.scale)
    first, last = owned.bounds[number], owned.bounds[number + 1]
    if first < last:
        out[owned.labels[first:last] - start, owned.faces[first:last]] = -torch.inf
    return slopes
