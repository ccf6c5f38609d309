"""Where a run happens: one process, or the processes of torchrun, and the device of this one.

torchrun starts the same command several times and tells each its rank; gloo joins them on processors, NCCL on
GPUs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist

from multiface.errors import UsageError


@dataclass(frozen=True, slots=True)
class Place:
    """This process among those of a run. group: None for a single process without collectives."""

    device: torch.device
    rank: int = 0
    processes: int = 1
    group: dist.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this process writes the run's files."""
        return self.rank == 0

    @staticmethod
    def of_group(group: dist.ProcessGroup, device: torch.device) -> "Place":
        """The place of this process in a group."""
        return Place(device, dist.get_rank(group), dist.get_world_size(group), group)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.group is not None:
            dist.barrier(self.group)


@contextmanager
def place_of_process(device: str | None, grouped: bool = False) -> Iterator[Place]:
    """Joins the processes of torchrun where there are any, and leaves them at the end.

    device: "cpu", "cuda", ...; None takes a GPU where there is one. grouped: a group even for a single
    process, which sampled classes need. Raises UsageError for a device that this machine does not have.
    """
    kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if kind.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"device {kind!r}: PyTorch finds no GPU here", hint="use cpu")
    backend = "nccl" if kind.startswith("cuda") else "gloo"
    if dist.is_torchelastic_launched():
        dist.init_process_group(backend)
        if kind == "cuda":
            kind = f"cuda:{dist.get_node_local_rank()}"
    elif grouped:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)  # type: ignore[attr-defined]
    else:
        yield Place(_device(kind))
        return
    try:
        group = dist.group.WORLD
        assert group is not None
        yield Place.of_group(group, _device(kind))
    finally:
        dist.destroy_process_group()


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seeds the random numbers (dropout) of one step in one process: nothing of them has to be kept for a
    resume.
    """
    torch.manual_seed(int(np.random.Philox(key=seed, counter=[0, step, rank, 2]).random_raw()) >> 1)


def seed_start(seed: int) -> None:
    """Seeds the first weights: the same in every process."""
    torch.manual_seed(seed)


def _device(kind: str) -> torch.device:
    try:
        device = torch.device(kind)
    except RuntimeError as error:
        raise UsageError(f"device {kind!r} is none that PyTorch knows", hint="use cpu or cuda") from error
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device
