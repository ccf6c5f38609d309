"""N slices of the embedding against N sets of class centres, in the plain formula.

Letters: B faces, D length of the embedding, N slices of d = D / N, C classes of K sub-centres each, mostly 1.
Slice i of an embedding is e[i d : (i + 1) d]. Class centres are (N, C, K d): a row a class, its sub-centres one behind
the other, of any length, brought to unit length in the formula. The cosine with a class is that with its nearest
sub-centre. `sliced_logits` holds all (N, B, C) logits; `chunked.py` gives the same loss without them.
"""

import torch
from torch import Tensor

from multiface.errors import UsageError
from multiface.train.heads.margins import Targets
from multiface.train.networks.unit import unit


def split(embedding: Tensor, slices: int, normalise: bool) -> Tensor:
    """Embeddings (B, D) to slices (N, B, d); each to unit length where `normalise`, else left as it is.

    Raises UsageError where D is not a multiple of the number of slices.
    """
    batch, size = embedding.shape
    if size % slices:
        raise UsageError(f"{slices} slices do not divide an embedding of {size} dimensions")
    parts = embedding.view(batch, slices, size // slices).transpose(0, 1)
    return unit(parts) if normalise else parts


def target_cosines(parts: Tensor, centres: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
    """Slices (N, B, d), centres (N, C, K d), labels (B,) in 0..C-1 to the cosines with the own class (N, B), and which
    of its sub-centres is the nearest, int64 (N, B) in 0..K-1; None where K is 1.

    Cosines in float32, or float64 where the inputs are; without gradient.
    """
    with torch.no_grad():
        dtype = torch.promote_types(torch.promote_types(parts.dtype, centres.dtype), torch.float32)
        slices, batch, size = parts.shape
        own = centres[:, labels].to(dtype)
        if centres.shape[2] == size:
            return (parts.to(dtype) * unit(own)).sum(2), None
        each = unit(own.view(slices, batch, -1, size))
        found = (parts.to(dtype)[:, :, None] * each).sum(3).max(2)
        return found.values, found.indices


def sliced_logits(parts: Tensor, centres: Tensor, labels: Tensor, targets: Targets, scale: float) -> Tensor:
    """The literal logits (N, B, C), scaled, differentiable; targets are those of the same cosines."""
    slices, classes, width = centres.shape
    size = parts.shape[2]
    each = unit(centres.reshape(slices, classes * width // size, size))
    cosine = torch.bmm(parts, each.transpose(1, 2)).view(slices, -1, classes, width // size).max(3).values
    column = labels.view(1, -1, 1).expand(len(parts), -1, 1)
    own = cosine.gather(2, column)[..., 0]
    logit = targets.logit + targets.slope * (own - own.detach())
    if targets.hard_above is not None and targets.hard_shift is not None:
        hard = cosine > targets.hard_above[..., None]
        cosine = torch.where(hard, cosine * (targets.hard_shift[:, None, None] + cosine), cosine)
    return cosine.scatter(2, column, logit[..., None].to(cosine.dtype)) * scale
