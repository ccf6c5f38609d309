"""UniFace: the loss with one threshold for all people, exact, in blocks of classes.

Zhou, Jia, Li, Shen & Duan 2023, "UniFace: Unified Cross-Entropy Loss for Deep Face Recognition", ICCV, in its form
with a margin; formula, first threshold and clamping as in the authors' code (CVI-SZU/UniFace, head.py). A softmax
compares a face's own class with the others of the same face, so that each face may have a threshold of its own; here
every cosine is compared with one threshold b, which is learned, as verification does:

    loss = 1/B sum_b ( log(1 + exp(b - s (c_by - m))) + sum_{j != y_b} log(1 + exp(s c_bj - b)) )

Letters as in chunked.py: N slices, B faces, C classes (of this process) of K sub-centres each, d dimensions of a
slice, c a cosine, s the scale, m the margin, u = w / ||w||. The sigmoid of a logit is the derivative of its term, and
needs no sum over the others: one pass over blocks of classes makes the loss and all gradients, with three products a
block.

    d loss / d c_bj = s/B sigmoid(s c_bj - b)         d loss / d c_by = -s/B sigmoid(b - s (c_by - m))

The authors clamp logits to within +-s before the exponential; softplus needs no clamp. Their factor on the non-targets
(lambda) is left out: their table has 48.54 with it, and 48.72 with sampled classes (Partial FC, `sample_rate`) instead.

Why this and not UniTSFace (the same authors, NeurIPS 2023, "Unified Threshold Integrated Sample-to-Sample Loss"):
trained on CASIA-WebFace the authors report, as MR-All of the MFR benchmark, 41.80 for a softmax with margin, 47.45 for
this loss, 48.72 with sampled classes (README of CVI-SZU/UniFace) and 50.25 for UniTSFace with R50 (README of
CVI-SZU/UniTSFace). Most of that is in this loss, which has the form of a head: it is cut into slices, divided over
processes and sampled. A loss between samples needs pairs of one person in each batch, which are few unless the order of
the pictures is made for it.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import logsigmoid, softplus

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
from multiface.train.networks.unit import SMALLEST_NORM


def first_threshold(classes: int, slices: int, sample_rate: float) -> Tensor:
    """The threshold (N,) of a new head, float32, in units of scaled cosines: log(10 C), C of the classes that take
    part in a step, as the authors have it. With cosines of 0 the sigmoids of all C classes then sum to 0.1, for any C.
    """
    return torch.full((slices,), math.log(10 * classes * sample_rate))


@dataclass(frozen=True, slots=True)
class Settings:
    """margin, scale: m and s. average: average the losses of the slices, not sum them. group, sizes: as in
    chunked.blocked_loss.
    """

    margin: float
    scale: float
    average: bool = False
    group: dist.ProcessGroup | None = None
    sizes: BlockSizes | None = None


def unified_loss(
    parts: Tensor,
    centres: Tensor,
    threshold: Tensor,
    labels: Tensor,
    settings: Settings,
    own: tuple[Tensor, Tensor | None] | None,
) -> Tensor:
    """Mean loss over the batch, per slice, summed over the slices (or averaged): a scalar.

    parts: (N, B, d). centres: (N, C, K d). labels: (B,). All as in chunked.blocked_loss, with its precision.
    threshold: (N,), b of each slice.
    own: cosines with the own class and nearest sub-centres (see sliced.target_cosines), anything for classes of other
        processes; None where there is no class.

    Gradients of parts are this process's share where there is a group, those of centres and threshold complete; they
    come once. Collectives: one all-reduce of N + 1 numbers in forward, none in backward.
    """
    cosine, nearest = own if own is not None else (parts.new_zeros(parts.shape[:2]), None)
    inputs = (parts, centres, threshold, labels, cosine.detach(), nearest)
    result: Tensor = _UnifiedLoss.apply(*inputs, settings, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return result


class _UnifiedLoss(torch.autograd.Function):
    """Gradients are made in forward. Backward hands them out once, and makes them anew if called again."""

    @staticmethod
    def forward(
        ctx: Any,
        parts: Tensor,
        centres: Tensor,
        threshold: Tensor,
        labels: Tensor,
        cosine: Tensor,
        nearest: Tensor | None,
        settings: Settings,
        wanted: bool,
    ) -> Tensor:
        ctx.save_for_backward(parts, centres, threshold, labels, cosine, nearest)
        ctx.settings = settings
        ctx.wanted = tuple(wanted and ctx.needs_input_grad[number] for number in (0, 1))
        loss, *ctx.gradients = _compute(
            parts, centres, threshold, labels, cosine, nearest, settings, *ctx.wanted
        )
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients = ctx.gradients
        ctx.gradients = None  # so that autograd may take them as they are, without a copy
        if gradients is None:
            _, *gradients = _compute(*ctx.saved_tensors, ctx.settings, *ctx.wanted)  # type: ignore[call-arg]
        for gradient in gradients:
            if gradient is not None:
                gradient.mul_(upstream)
        return (*gradients, None, None, None, None, None)


def _compute(
    parts: Tensor,
    centres: Tensor,
    threshold: Tensor,
    labels: Tensor,
    cosine: Tensor,
    nearest: Tensor | None,
    settings: Settings,
    want_parts: bool,
    want_centres: bool,
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor]:
    """Loss, gradient of parts (N, B, d), of centres (N, C, K d) and of the threshold (N,)."""
    slices, batch, size = parts.shape
    classes, several = centres.shape[1], centres.shape[2] // size
    rows = centres.reshape(slices, classes * several, size)
    dtype = torch.promote_types(torch.promote_types(parts.dtype, centres.dtype), torch.float32)
    sizes = settings.sizes or BlockSizes.fitting(slices, batch, size, dtype, parts.device.type)
    sizes = replace(sizes, block=max(several, sizes.block // several * several))  # a class is never cut
    share = torch.zeros(parts.shape, dtype=dtype, device=parts.device) if want_parts else None
    found = torch.zeros(rows.shape, dtype=dtype, device=rows.device) if want_centres else None
    sums = torch.zeros(2, slices, dtype=dtype, device=parts.device)  # losses, and gradients by the threshold
    with torch.autocast(parts.device.type, enabled=False), products_of(parts.device):
        owned = Owned.of(labels, classes, several)
        for first in range(0, slices, sizes.together):
            these = slice(first, first + sizes.together)
            _add_slices(
                parts[these].to(dtype).contiguous(),
                rows[these],
                threshold[these].detach().to(dtype),
                owned,
                cosine[these].to(dtype),
                None if nearest is None else nearest[these],
                settings,
                sizes.block,
                sums[:, these],
                None if share is None else share[these],
                None if found is None else found[these],
            )
        weight = (1 / slices if settings.average else 1.0) / batch
        totals = torch.cat([sums[0].sum()[None], sums[1]]).mul_(weight)
        if settings.group is not None:
            dist.all_reduce(totals, dist.ReduceOp.SUM, settings.group)
        factor = weight * settings.scale
        of_parts = None if share is None else share.mul_(factor).to(parts.dtype)
        of_centres = None if found is None else found.mul_(factor).to(centres.dtype).view(centres.shape)
    return totals[0].clone(), of_parts, of_centres, totals[1:].to(threshold.dtype, copy=True)


def _add_slices(
    e: Tensor,
    centres: Tensor,
    threshold: Tensor,
    owned: Owned,
    cosine: Tensor,
    nearest: Tensor | None,
    settings: Settings,
    block: int,
    sums: Tensor,
    share: Tensor | None,
    found: Tensor | None,
) -> None:
    """Adds the sums over faces and classes of some slices: e (S, B, d), centres (S, C K, d), threshold (S,), cosine
    (S, B).

    sums: (2, S). share: (S, B, d), found: (S, C K, d): gradients by embedding and centres, less a factor s/B.
    """
    rows = centres.shape[1]
    if not rows:
        return
    left = e.transpose(1, 2).contiguous()
    for start in range(0, rows, block):
        stop = min(start + block, rows)
        w = centres[:, start:stop].to(e.dtype)
        inverse = _inverse(w)
        u = w * inverse[..., None]
        out = u.new_empty(len(u), stop - start, e.shape[1])
        product(u, left, out)
        keep_nearest(out, owned.several)
        mask_targets(out, owned.block(start, stop, rows))
        out.mul_(settings.scale).sub_(threshold[:, None, None])
        sums[0] += softplus(out).sum((1, 2))
        out.sigmoid_()
        sums[1] -= out.sum((1, 2))
        if share is not None:
            add_product(share, out.transpose(1, 2), u)
        if found is not None:
            g = product(out, e, found[:, start:stop])
            along = (g * u).sum(2, keepdim=True)
            g.addcmul_(u, along, value=-1).mul_(inverse[..., None])

    # The targets.
    logit = settings.scale * (cosine - settings.margin) - threshold[:, None]
    lost = torch.where(owned.held, -logsigmoid(logit), 0)
    pull = torch.where(owned.held, -torch.sigmoid(-logit), 0)  # d loss / d logit
    sums[0] += lost.sum(1)
    sums[1] -= pull.sum(1)
    own_rows, own = own_centres(centres, owned, nearest)
    own = own.to(e.dtype)
    inverse = _inverse(own)
    u = own * inverse[..., None]
    if share is not None:
        share.addcmul_(u, pull[..., None])
    if found is not None:
        pulled = e * pull[..., None]
        along = (pulled * u).sum(2, keepdim=True)
        add_rows(found, own_rows, pulled.addcmul_(u, along, value=-1).mul_(inverse[..., None]))


def _inverse(w: Tensor) -> Tensor:
    """1 / ||w|| of rows (S, n, d), 0 of rows that are zero."""
    length: Tensor = torch.linalg.vector_norm(w, dim=2)
    return length.masked_fill_(length < SMALLEST_NORM, torch.inf).reciprocal_()
