"""Partial FC: in a step only some of a process's classes take part, and only these learn.

An et al. 2022 (arXiv:2203.15565). The classes of the batch's own faces always take part, and random others up to a
share of the process's classes, drawn on its device. How many that is does not depend on the labels, so that the host
need not wait for a GPU: never fewer than there are faces in the batch. Centres that do not take part stay as they
are, their momentum and decay too, as in the authors' code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """Classes that took part, ascending: rows (k,) int64 of a process's centres; and a copy of these centres
    (N, k, d), a leaf that collects their gradient.
    """

    rows: Tensor
    centres: Tensor


def sample_rows(labels: Tensor, classes: int, share: float) -> Tensor:
    """Ascending rows (k,) int64 out of a process's `classes`: those of `labels` (B,) that are within 0..classes-1, and
    random others, k = min(classes, max(round(share * classes), B)).

    Drawn with the random numbers of the device, which are those of seed, step and process (see processes.seed_step).
    """
    count = min(classes, max(round(share * classes), len(labels)))
    keys = torch.rand(classes + 1, device=labels.device)
    # Faces of other processes' classes mark the last place, which is cut off.
    own = torch.where((labels >= 0) & (labels < classes), labels, classes)
    keys.index_fill_(0, own, -1)
    return keys[:classes].topk(count, largest=False, sorted=False).indices.sort().values


def sampled_gradient(sampled: Sequence[Sampled]) -> tuple[Tensor, Tensor]:
    """Rows (k,), each once, and their gradient (N, k, d), of all parts of a step.

    With several parts the host waits for a GPU, to learn how many rows these are.
    """
    gradients = [one.centres.grad for one in sampled]
    found = [
        torch.zeros_like(one.centres) if g is None else g for one, g in zip(sampled, gradients, strict=True)
    ]
    if len(sampled) == 1:
        return sampled[0].rows, found[0]
    rows, places = torch.unique(torch.cat([one.rows for one in sampled]), return_inverse=True)
    total = found[0].new_zeros(len(found[0]), len(rows), found[0].shape[2])
    return rows, total.index_add_(1, places, torch.cat(found, 1))
