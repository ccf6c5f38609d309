"""The exact loss of a margin head, and all its gradients, without ever holding batch x classes x slices.

Letters: N slices, B faces, C classes (of this process), d dimensions of a slice, n classes of a block.
w a centre, u = w / ||w||, c = e u the cosine, s the scale, phi(c) the logit before the scale (c itself, but
for hard non-targets, see margins.py), z the target's logit before the scale.

    loss = 1/B sum_b (log Z_b - s z_b),    Z_b = exp(s z_b) + sum_{j != y_b} exp(s phi(c_bj))
    d loss / d c_bj = s/B exp(s phi(c_bj)) phi'(c_bj) / Z_b            for non-targets
    d loss / d c_by = s/B (exp(s z_b) / Z_b - 1) slope_b               for the target
    d loss / d w_j = (g - (g u) u) / ||w||  with  g = sum_b e_b d loss / d c_bj

With K sub-centres a class, c_bj is the cosine with the nearest: each sub-centre is a class of its own in all that
follows, whose E is 0 for the faces that are nearer to another one of the class.

Only the target's column knows a margin; all else is a plain exponential. So a slice (or several at once) takes two
passes over blocks of classes. The first makes E = exp(s phi(c)) from one product, sums it to Z, and adds E u to the
gradient of the embedding, which is divided by Z at the end (as a softmax is accumulated online: Milakov &
Gimelshein 2018, arXiv:1805.02867). The second multiplies E with the rows e_b s / (B Z_b): the gradient of the
centres. The target's own share of both is added behind them, for all faces at once. 1 / Z never touches E itself.
E is kept for the second pass up to KEPT_BYTES, and made again beyond.
Three matrix products per class, four where E is made again; all gradients come with the loss, so that
backward only hands them out.

On a GPU all slices go together in blocks of GPU_BLOCK_BYTES, so that a step is some sixty launches; nothing is read
back. On a processor a slice at a time stays in the cache.

Exponentials need no running maximum where s ||e|| is small against the logarithm of the largest float (s = 64
and unit slices in float32: exp(64) 1e5 classes = 6e32); where it is not, one is kept per face.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable

from multiface.train.heads.blocks import (
    BlockSizes,
    Owned,
    add_product,
    add_rows,
    keep_nearest,
    mask_targets,
    own_centres,
    product,
    products_of,
)
from multiface.train.heads.margins import Targets
from multiface.train.networks.unit import SMALLEST_NORM


def blocked_loss(
    parts: Tensor,
    centres: Tensor,
    labels: Tensor,
    targets: Targets,
    scale: float,
    average: bool,
    group: dist.ProcessGroup | None = None,
    sizes: BlockSizes | None = None,
    longest: float | None = None,
    nearest: Tensor | None = None,
) -> Tensor:
    """Mean cross entropy over the batch, per slice, summed over the slices (or averaged): a scalar.

    parts: (N, B, d) slices of the embeddings; float32, float64, bfloat16 or float16.
    centres: (N, C, K d), K sub-centres of each class in a row, mostly one, of any length; a zero one has cosine 0 with
        everything and gets no gradient.
    labels: (B,) int64; of classes of this process 0..C-1, anything else belongs to another process.
    targets: of the whole batch, (N, B), equal in every process.
    group: where given, each process holds other classes and the same batch; C may differ between processes
    and
        may be 0. The loss is that over all classes, the same everywhere; gradients of the centres are
        complete, gradients of `parts` are this process's share, to be summed over processes; those of the targets'
        logits, where they want any, are complete in every process. Collectives: one
        all-reduce of (S, B) for each S slices that are computed together, in forward (two where a running maximum is
        kept), none in backward.
    sizes: memory, chosen from N, B, d and the device where None.
    longest: no row of `parts` is longer than this; measured where None, for which the host waits for a GPU.
    nearest: int64 (N, B), which of the own class's sub-centres the targets are of (see sliced.target_cosines); of
        other processes' classes anything in 0..K-1. None where K is 1, or where there is no class.

    Computed in float32 (float64 where an input is); on a GPU the products of float32 in TF32, summed in float32.
    Gradients flow to `parts` and `centres`, once: a gradient of the gradient raises. Holds at most about the kept
    exponentials plus a dozen blocks beside the gradients themselves.
    """
    inputs = (labels, targets.logit, targets.slope.detach(), targets.hard_above, targets.hard_shift)
    settings = (nearest, scale, average, group, sizes, longest, torch.is_grad_enabled())
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
        nearest: Tensor | None,
        scale: float,
        average: bool,
        group: dist.ProcessGroup | None,
        sizes: BlockSizes | None,
        longest: float | None,
        wanted: bool,
    ) -> Tensor:
        ctx.save_for_backward(parts, centres, labels, nearest, logit, slope, hard_above, hard_shift)
        ctx.settings = (scale, average, group, sizes, longest)
        ctx.wanted = tuple(wanted and ctx.needs_input_grad[number] for number in (0, 1, 3))
        targets = Targets(logit, slope, hard_above, hard_shift)
        loss, *gradients = _compute(parts, centres, labels, nearest, targets, *ctx.settings, *ctx.wanted)
        ctx.gradients = gradients
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients = ctx.gradients
        ctx.gradients = None  # so that autograd may take them as they are, without a copy
        if gradients is None:
            parts, centres, labels, nearest, *rest = ctx.saved_tensors
            targets = Targets(*rest)
            _, *gradients = _compute(parts, centres, labels, nearest, targets, *ctx.settings, *ctx.wanted)
        # On a GPU looking would cost more than multiplying.
        if upstream.device.type != "cpu" or upstream.numpy() != 1:
            for gradient in gradients:
                if gradient is not None:
                    gradient.mul_(upstream)
        of_parts, of_centres, of_logit = gradients
        return (of_parts, of_centres, None, of_logit, *[None] * 10)


def _compute(
    parts: Tensor,
    centres: Tensor,
    labels: Tensor,
    nearest: Tensor | None,
    targets: Targets,
    scale: float,
    average: bool,
    group: dist.ProcessGroup | None,
    sizes: BlockSizes | None,
    longest: float | None,
    want_parts: bool,
    want_centres: bool,
    want_logit: bool,
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
    """Loss, gradient of parts (N, B, d), of centres (N, C, K d) and of the logits (N, B); None where not wanted."""
    slices, batch, size = parts.shape
    classes, several = centres.shape[1], centres.shape[2] // size
    rows = centres.reshape(slices, classes * several, size)
    dtype = torch.promote_types(torch.promote_types(parts.dtype, centres.dtype), torch.float32)
    sizes = sizes or BlockSizes.fitting(slices, batch, size, dtype, parts.device.type)
    if several > 1:  # a class is never cut
        sizes = replace(sizes, block=max(several, sizes.block // several * several))
    with torch.autocast(parts.device.type, enabled=False), products_of(parts.device):
        owned = Owned.of(labels, classes, several)
        scratch = _Scratch.of(sizes, batch, size, classes * several, dtype, parts.device)
        weight = 1 / slices if average else 1.0
        grad_parts = torch.empty_like(parts, memory_format=torch.contiguous_format) if want_parts else None
        grad_rows = torch.empty_like(rows) if want_centres else None
        grad_logit = torch.empty_like(targets.logit) if want_logit else None
        losses = []
        for first in range(0, slices, sizes.together):
            these = slice(first, first + sizes.together)
            some = _Slices(
                embedding=parts[these].to(dtype).contiguous(),
                centres=rows[these],
                nearest=None if nearest is None else nearest[these],
                logit=targets.logit[these].to(dtype) * scale,
                slope=targets.slope[these].to(dtype),
                hard_above=None if targets.hard_above is None else targets.hard_above[these].to(dtype),
                hard_shift=None if targets.hard_shift is None else targets.hard_shift[these].to(dtype),
                scale=scale,
                longest=longest,
            )
            loss, share, away = _slices_loss(
                some, owned, scratch, sizes, group, weight, want_parts,
                None if grad_rows is None else grad_rows[these],
            )  # fmt: skip
            losses.append(loss)
            if grad_parts is not None:
                grad_parts[these] = share
            if grad_logit is not None:
                grad_logit[these] = away
    total = losses[0] if len(losses) == 1 else torch.stack(losses).sum()
    return total, grad_parts, None if grad_rows is None else grad_rows.view(centres.shape), grad_logit


@dataclass(frozen=True, slots=True, eq=False)
class _Slices:
    """S slices of a batch: embedding (S, B, d), (sub-)centres (S, C K, d), the targets' nearest sub-centres (S, B)
    where K is not 1, scaled target logits (S, B), and so on.
    """

    embedding: Tensor
    centres: Tensor
    nearest: Tensor | None
    logit: Tensor
    slope: Tensor
    hard_above: Tensor | None
    hard_shift: Tensor | None
    scale: float
    longest: float | None

    def bound(self) -> float:
        """No |logit| of a non-target exceeds this."""
        longest = self.longest
        if longest is None:
            longest = float(torch.linalg.vector_norm(self.embedding, dim=2).max())
        # A hard logit is c (t + c), and t is a mean of cosines.
        return longest * self.scale * (1 if self.hard_shift is None else 1 + max(longest, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class _Scratch:
    """Buffers of one call: kept exponentials (S, kept, B), exponentials of a block (S, n, B), unit centres (S, n, d),
    1 / ||w|| (S, C K). n counts sub-centres.
    """

    kept: Tensor
    spare: Tensor
    unit: Tensor
    inverse: Tensor

    @staticmethod
    def of(
        sizes: BlockSizes, batch: int, size: int, classes: int, dtype: torch.dtype, device: torch.device
    ) -> "_Scratch":
        block, kept = min(sizes.block, classes), min(sizes.kept, classes)

        def empty(*shape: int) -> Tensor:
            return torch.empty(sizes.together, *shape, dtype=dtype, device=device)

        spare = block if kept < classes else 0
        return _Scratch(empty(kept, batch), empty(spare, batch), empty(block, size), empty(classes))


def _slices_loss(
    some: _Slices,
    owned: Owned,
    scratch: _Scratch,
    sizes: BlockSizes,
    group: dist.ProcessGroup | None,
    weight: float,
    want_parts: bool,
    grad_centres: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss of some slices times weight, its gradients by the embedding (S, B, d) and by the targets' logits (S, B).

    Fills grad_centres (S, C K, d).
    """
    e, scale = some.embedding, some.scale
    slices, batch, _ = e.shape
    classes = some.centres.shape[1]
    bounded = some.bound() < 0.74 * math.log(torch.finfo(e.dtype).max)
    left = (e if some.hard_above is not None else e * scale).transpose(1, 2).contiguous()  # (S, d, B)
    shift = (
        some.logit if bounded else some.logit.clone()
    )  # (S, B), what exponents are less by, unless bounded
    total = torch.zeros_like(some.logit)  # (S, B), sum of E over non-targets
    share = torch.zeros_like(e)  # (S, B, d), sum of E phi' u
    kept_shifts: list[Tensor] = []

    starts = range(0, classes, sizes.block)
    for start in starts:
        stop = min(start + sizes.block, classes)
        w = some.centres[:, start:stop].to(e.dtype)
        inverse = scratch.inverse[:slices, start:stop]
        torch.linalg.vector_norm(w, dim=2, out=inverse)
        inverse.masked_fill_(inverse < SMALLEST_NORM, torch.inf).reciprocal_()
        u = torch.mul(w, inverse[..., None], out=scratch.unit[:slices, : stop - start])
        keep = stop <= scratch.kept.shape[1] and grad_centres is not None
        out = _room(scratch, slices, start, stop, keep)
        slopes = _logits(some, u, left, owned.block(start, stop, classes), out)
        if not bounded:
            higher = torch.maximum(shift, out.amax(1))
            shrink = (shift - higher).exp_()
            total.mul_(shrink)
            share.mul_(shrink[..., None])
            shift = higher
            out.sub_(shift[:, None])
        out.exp_()
        total.add_(out.sum(1))
        if slopes is not None:
            out.mul_(slopes)
        if want_parts:
            add_product(share, out.transpose(1, 2), u)
        if keep:
            kept_shifts.append(shift)

    if group is not None:
        if not bounded:
            highest = shift.clone()
            dist.all_reduce(highest, dist.ReduceOp.MAX, group)
            shrink = (shift - highest).exp_()
            total.mul_(shrink)
            share.mul_(shrink[..., None])
            shift = highest
        dist.all_reduce(total, dist.ReduceOp.SUM, group)
    own = some.logit.exp() if bounded else (some.logit - shift).exp_()
    total.add_(own)
    lost = total.log() if bounded else total.log().add_(shift)
    loss = lost.sub_(some.logit).sum() * (weight / batch)
    factor = weight * scale / batch / total  # (S, B)
    share.mul_(factor[..., None])
    away = own.div_(total).sub_(1).mul_(weight * scale / batch)  # (S, B), d loss / d target logit
    if not classes:
        return loss, share, away

    # The target's column: d loss / d cosine, of the faces whose class is here.
    pull = (away * some.slope).mul_(owned.held)
    own_rows, near = own_centres(some.centres, owned, some.nearest)
    inverses = scratch.inverse[:slices]
    own_inverse = inverses[:, own_rows] if own_rows.ndim == 1 else inverses.gather(1, own_rows)  # (S, B)
    own_unit = near.to(e.dtype) * own_inverse[..., None]  # (S, B, d)
    if want_parts:
        share.addcmul_(own_unit, pull[..., None])
    if grad_centres is None:
        return loss, share, away

    direct = grad_centres.dtype == e.dtype
    found = grad_centres if direct else torch.empty_like(grad_centres, dtype=e.dtype)
    rows = e * factor[..., None]
    for number, start in enumerate(starts):
        stop = min(start + sizes.block, classes)
        w = some.centres[:, start:stop].to(e.dtype)
        inverse = scratch.inverse[:slices, start:stop]
        kept = stop <= scratch.kept.shape[1]
        exponentials = _room(scratch, slices, start, stop, kept)
        if kept:
            scaled = rows if bounded else rows * (kept_shifts[number] - shift).exp_()[..., None]
        else:
            u = torch.mul(w, inverse[..., None], out=scratch.unit[:slices, : stop - start])
            slopes = _logits(some, u, left, owned.block(start, stop, classes), exponentials)
            if not bounded:
                exponentials.sub_(shift[:, None])
            exponentials.exp_()
            if slopes is not None:
                exponentials.mul_(slopes)
            scaled = rows
        g = product(exponentials, scaled, found[:, start:stop])
        along = torch.mul(g, w, out=scratch.unit[:slices, : stop - start]).sum(2)
        along.mul_(inverse).mul_(inverse).mul_(inverse)
        g.mul_(inverse[..., None]).addcmul_(w, along[..., None], value=-1)
    pulled = e * pull[..., None]
    along = (pulled * own_unit).sum(2, keepdim=True)
    pulled.addcmul_(own_unit, along, value=-1).mul_(own_inverse[..., None])
    add_rows(found, own_rows, pulled)
    if not direct:
        grad_centres.copy_(found)
    return loss, share, away


def _room(scratch: _Scratch, slices: int, start: int, stop: int, kept: bool) -> Tensor:
    """Where the exponentials of a block go, (S, n, B)."""
    if kept:
        return scratch.kept[:slices, start:stop]
    if not scratch.spare.shape[1]:
        return scratch.kept[:slices, : stop - start]  # all could be kept, and nobody wants them
    return scratch.spare[:slices, : stop - start]


def _logits(some: _Slices, u: Tensor, left: Tensor, owned: Owned, out: Tensor) -> Tensor | None:
    """Scaled logits of a block into `out` (S, n, B), -inf at targets; phi' (S, n, B), or None where it is 1."""
    product(u, left, out)
    keep_nearest(out, owned.several)
    slopes = None
    if some.hard_above is not None and some.hard_shift is not None:
        shift = some.hard_shift[:, None, None]
        hard = out > some.hard_above[:, None]
        slopes = torch.where(hard, shift + 2 * out, 1.0)
        out.mul_(torch.where(hard, shift + out, 1.0)).mul_(some.scale)
    mask_targets(out, owned)
    return slopes
