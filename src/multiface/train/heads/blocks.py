"""What the blocked losses (chunked.py, unified.py) share: sizes of blocks, whose classes are where, products in place.

Letters: S slices that go together, B faces, n sub-centres of a block (classes, where there is one each), d dimensions
of a slice, K sub-centres of a class.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK_ELEMENTS = 1 << 20
"""On a processor: numbers in a block of logits (n x B) or of centres (n x d): 4 MB in float32.

Smaller blocks stay nearer to a core and are no faster; each operation on a block ends with all threads
waiting for the last, which on a busy machine costs more than the work.
"""

KEPT_BYTES = 64 << 20
"""On a processor: exponentials kept from the first pass to the second, in bytes, for one slice at a time."""

GPU_BLOCK_BYTES = 512 << 20
"""On a GPU: bytes in a block of logits of all slices (N x n x B)."""

GPU_KEPT_BYTES = 2 << 30
"""On a GPU: exponentials kept from the first pass to the second, in bytes, of all slices."""


@dataclass(frozen=True, slots=True)
class BlockSizes:
    """Memory of the blocked loss: classes in a block, classes whose exponentials are kept, and slices that are computed
    together.
    """

    block: int
    kept: int
    together: int = 1

    @staticmethod
    def fitting(slices: int, batch: int, size: int, dtype: torch.dtype, device: str) -> "BlockSizes":
        """Sizes for N slices of d dimensions and a batch of B faces, held in `dtype` on a kind of device."""
        if device == "cpu":
            block = max(16, BLOCK_ELEMENTS // max(batch, size))
            return BlockSizes(block, KEPT_BYTES // (batch * dtype.itemsize) // block * block)
        row = slices * max(batch, size) * dtype.itemsize
        block = max(16, GPU_BLOCK_BYTES // row)
        return BlockSizes(block, GPU_KEPT_BYTES // row // block * block, slices)


@contextmanager
def products_of(device: torch.device) -> Iterator[None]:
    """On a GPU, products of float32 in TF32: 10 bits of a factor, which cosines can spare; sums in float32."""
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@dataclass(frozen=True, slots=True, eq=False)
class Owned:
    """Whose classes are held here. labels: (B,) in 0..C-1, of others anything in it. held: (B,), whether it is.
    several: K, sub-centres of a class.
    """

    labels: Tensor
    held: Tensor
    several: int

    @staticmethod
    def of(labels: Tensor, classes: int, several: int) -> "Owned":
        if not classes:
            return Owned(torch.zeros_like(labels), torch.zeros_like(labels, dtype=torch.bool), several)
        near = labels.clamp(0, classes - 1)
        return Owned(near, near == labels, several)

    def block(self, start: int, stop: int, rows: int) -> "Owned":
        """The same for the sub-centres start..stop - 1 of `rows` alone, counted from start; no class is cut."""
        if stop - start == rows:
            return self
        labels = self.labels - start // self.several
        near = labels.clamp(0, (stop - start) // self.several - 1)
        return Owned(near, self.held & (near == labels), self.several)

    def rows(self) -> Tensor:
        """The sub-centres of each face's class, (K, B)."""
        if self.several == 1:
            return self.labels[None]
        within = torch.arange(self.several, device=self.labels.device)
        return self.labels * self.several + within[:, None]


def product(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """(S, m, k) times (S, k, n) into `out` (S, m, n)."""
    if len(a) == 1:
        torch.mm(a[0], b[0], out=out[0])
    else:
        torch.bmm(a, b, out=out)
    return out


def add_product(to: Tensor, a: Tensor, b: Tensor) -> None:
    """Adds (S, m, k) times (S, k, n) to (S, m, n)."""
    if len(a) == 1:
        to[0].addmm_(a[0], b[0])
    else:
        to.baddbmm_(a, b)


def keep_nearest(out: Tensor, several: int) -> None:
    """Cosines (S, n, B), K of each class one behind the other: -inf for all but the largest of each class."""
    if several == 1:
        return
    each = out.view(len(out), -1, several, out.shape[2])  # (S, classes, K, B)
    nearest = each.max(2, keepdim=True)
    each.fill_(-torch.inf).scatter_(2, nearest.indices, nearest.values)


def mask_targets(out: Tensor, owned: Owned) -> None:
    """Logits (S, n, B): -inf for all sub-centres of each face's own class."""
    column = owned.rows().expand(len(out), -1, -1)
    out.scatter_(1, column, out.gather(1, column).masked_fill_(owned.held, -torch.inf))


def own_centres(centres: Tensor, owned: Owned, nearest: Tensor | None) -> tuple[Tensor, Tensor]:
    """The rows of the targets, (B,) or (S, B) where each slice has its nearest sub-centre, and what is there of centres
    (S, C K, d), as (S, B, d). Of classes that are not here, anything.
    """
    if nearest is None:
        return owned.labels, centres[:, owned.labels]
    rows = owned.labels * owned.several + nearest
    return rows, torch.stack([w[these] for w, these in zip(centres, rows, strict=True)])


def add_rows(to: Tensor, rows: Tensor, values: Tensor) -> None:
    """Adds values (S, B, d) to the rows, (B,) or (S, B), of (S, n, d)."""
    if rows.ndim == 1:
        to.index_add_(1, rows, values)
        return
    for slice_, these, of_these in zip(to, rows, values, strict=True):
        slice_.index_add_(0, these, of_these)
