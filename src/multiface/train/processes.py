"""Where a run happens: one process or several, and the device of this one.

`meeting` joins them: by gloo on processors, by NCCL on GPUs.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist


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


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seeds the random numbers (dropout) of one step in one process: nothing of them has to be kept for a
    resume.
    """
    torch.manual_seed(int(np.random.Philox(key=seed, counter=[0, step, rank, 2]).random_raw()) >> 1)


def seed_start(seed: int) -> None:
    """Seeds the first weights: the same in every process."""
    torch.manual_seed(seed)
