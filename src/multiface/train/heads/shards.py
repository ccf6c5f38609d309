"""A tensor (N, C, d) whose C classes are divided over processes: which are whose, and how it is saved and loaded.

Letters as in sharded.py. Process r holds C // P classes in a row, one more in the first C mod P of P processes. The
whole is never in one place: it goes to the first process, or from it, PIECE bytes at a time.
"""

from collections.abc import Callable, Iterator

import torch.distributed as dist
from torch import Tensor

PIECE = 8 << 20
"""Bytes that are on their way at a time."""

Rows = Callable[[int, int], Tensor]
"""First row and number of rows of a tensor (N C, d) to these rows, on the CPU."""


def shard_bounds(classes: int, rank: int, processes: int) -> tuple[int, int]:
    """First class of a process, and one past its last."""
    each, more = divmod(classes, processes)
    start = rank * each + min(rank, more)
    return start, start + each + (rank < more)


def parts_of_shards(shard: Tensor, classes: int, group: dist.ProcessGroup | None) -> Iterator[Tensor]:
    """The whole (N, C, d) of all processes' shards (N, C_r, d), row by row, as parts on the CPU in the group's process
    0; nothing in others. With no group the shard is the whole.

    Every process must go through it to its end. Messages: one a piece of another process's shard.
    """
    size = shard.shape[2]
    for number in range(shard.shape[0]):
        for rank, start, count in _pieces(classes, size * shard.dtype.itemsize, group):
            own = shard.detach()[number, start : start + count] if rank == _rank(group) else None
            if _rank(group) == 0:
                if own is None:
                    own = _received(shard.new_empty(count, size), rank, group)
                yield own.cpu().contiguous()
            elif own is not None:
                dist.send(own.contiguous(), group=group, group_dst=0)


def fill_shards(shard: Tensor, classes: int, group: dist.ProcessGroup | None, rows: Rows | None) -> None:
    """Fills each process's shard (N, C_r, d) from the whole; the inverse of parts_of_shards.

    rows: reads the whole, in the group's process 0; None in others. Every process must call it.
    """
    size = shard.shape[2]
    for number in range(shard.shape[0]):
        for rank, start, count in _pieces(classes, size * shard.dtype.itemsize, group):
            mine = rank == _rank(group)
            piece = None
            if rows is not None:
                first = shard_bounds(classes, rank, _processes(group))[0]
                piece = rows(number * classes + first + start, count).to(shard)
                if not mine:
                    dist.send(piece.contiguous(), group=group, group_dst=rank)
            elif mine:
                piece = _received(shard.new_empty(count, size), 0, group)
            if mine and piece is not None:
                shard.detach()[number, start : start + count].copy_(piece)


def _pieces(classes: int, row_bytes: int, group: dist.ProcessGroup | None) -> Iterator[tuple[int, int, int]]:
    """Process, first row in its shard, and rows of each piece of one slice, in the order of the classes."""
    step = max(1, PIECE // row_bytes)
    for rank in range(_processes(group)):
        first, last = shard_bounds(classes, rank, _processes(group))
        for start in range(0, last - first, step):
            yield rank, start, min(step, last - first - start)


def _received(empty: Tensor, rank: int, group: dist.ProcessGroup | None) -> Tensor:
    dist.recv(empty, group=group, group_src=rank)
    return empty


def _rank(group: dist.ProcessGroup | None) -> int:
    return 0 if group is None else dist.get_rank(group)


def _processes(group: dist.ProcessGroup | None) -> int:
    return 1 if group is None else dist.get_world_size(group)
