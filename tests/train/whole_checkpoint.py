"""Checkpoints and divided heads as a whole, to be compared in tests; training itself never holds them so."""

from pathlib import Path

import torch
import torch.distributed as dist
from safetensors import safe_open
from torch import Tensor

from multiface.train.checkpoint import KEY, Position
from multiface.train.heads.head import Head
from multiface.train.heads.sharded import ShardedHead
from multiface.train.heads.shards import fill_shards, parts_of_shards


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], Position]:
    """Tensors and progress, read by the library of the format."""
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, Position.from_json(file.metadata()[KEY])  # noqa: SIM118


def whole_shards(shard: Tensor, classes: int, group: dist.ProcessGroup | None) -> Tensor | None:
    """The whole (N, C, d) in the first process, None in others."""
    parts = list(parts_of_shards(shard, classes, group))
    if not parts:
        return None
    return torch.cat(parts).view(shard.shape[0], classes, shard.shape[2])


def own_part(whole: Tensor | None, shard: Tensor, classes: int, group: dist.ProcessGroup) -> Tensor:
    """This process's part of a whole that only the first process needs to have."""
    made = torch.empty_like(shard)
    rows = None
    if dist.get_rank(group) == 0:
        assert whole is not None
        flat = whole.reshape(-1, whole.shape[2])
        rows = lambda start, count: flat[start : start + count]  # noqa: E731
    fill_shards(made, classes, group, rows)
    return made


def whole_head(head: Head | ShardedHead) -> dict[str, Tensor]:
    """The state of the same head in one process; {} in other processes than the first."""
    group = head.group if isinstance(head, ShardedHead) else None
    centres = whole_shards(head.centres, head.config.classes, group)
    return {} if centres is None else {**head.state_dict(), "centres": centres}
