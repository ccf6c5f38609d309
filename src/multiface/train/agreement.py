"""What all processes of a run must have in common: what the first one tells them, and what is compared before the
first step.

Every process must call each of these. Nothing is pickled: texts travel as UTF-8, and what is compared as sha256.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from multiface.arrays import Ints
from multiface.errors import UsageError
from multiface.train.processes import Place


def tell(place: Place, text: str | None) -> str:
    """The first process's text, in every process; what others give is not looked at."""
    data = (text or "").encode() if place.first else b""
    length = share_tensor(place, torch.tensor(len(data)), (), torch.int64)
    content = torch.from_numpy(np.frombuffer(data, np.uint8).copy()) if place.first else None
    return bytes(share_tensor(place, content, (int(length),), torch.uint8).cpu().numpy()).decode()


def share_tensor(place: Place, tensor: Tensor | None, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The first process's tensor, of this shape and type, in every process, on its device."""
    if place.group is None or not all(shape):
        found = torch.empty(shape, dtype=dtype) if tensor is None else tensor
        return found.to(place.device, dtype)
    if place.first and tensor is not None:
        own = tensor.to(place.device, dtype).contiguous()
    else:
        own = torch.empty(shape, dtype=dtype, device=place.device)
    dist.broadcast(own, group=place.group, group_src=0)
    return own


def agree(place: Place, parts: Mapping[str, str]) -> None:
    """Compares texts, such as digests, over processes.

    parts: what is compared, the same names in each process, in the same order.
    Raises UsageError, in every process, that says which processes differ from the first, and in what.
    """
    if place.group is None:
        return
    own = b"".join(hashlib.sha256(text.encode()).digest() for text in parts.values())
    row = torch.from_numpy(np.frombuffer(own, np.uint8).copy()).to(place.device)
    every = row.new_empty(place.processes * len(row))
    dist.all_gather_single(every, row, place.group)
    table = every.cpu().numpy().reshape(place.processes, len(parts), -1)
    differs = (table != table[0]).any(2)
    found = [
        f"{_named(np.flatnonzero(differs[:, number]).tolist())} from process 0 in {name}"
        for number, name in enumerate(parts)
        if differs[:, number].any()
    ]
    if found:
        raise UsageError(
            f"the processes do not belong to the same run: {'; '.join(found)}",
            hint="start all of them with the same command, version, recipe and data",
        )


def digest_of_labels(labels: Ints) -> str:
    """sha256 (hex) over the labels (n,)."""
    return hashlib.sha256(np.ascontiguousarray(labels, "<i8").tobytes()).hexdigest()


def _named(ranks: list[int]) -> str:
    if len(ranks) == 1:
        return f"process {ranks[0]} differs"
    return f"processes {', '.join(map(str, ranks[:8]))}{' ...' if len(ranks) > 8 else ''} differ"
