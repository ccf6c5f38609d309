"""The learning rate of a step: warm-up, then falling by steps, along a cosine, or by a power.

Everything is counted in epochs, as fractions: step s of batches of `batch` faces begins at s * batch /
pictures.
"""

import bisect
import math
from dataclasses import dataclass
from typing import Literal

from multiface.errors import UsageError


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """How the rate changes.

    epochs: length of the run. warmup_epochs: the rate rises in a straight line from 0 to its full height over
        these.
    shape: "step": times `factor` at the start of each of `milestones` (epochs, counted from 0);
        "cosine": half a cosine from the full rate to `final` of it, over the epochs after the warm-up;
        "poly": (1 - t) ** `power` between the full rate and `final` of it, t 0..1 over the same (Partial FC's
        shape).
    """

    epochs: float = 20.0
    warmup_epochs: float = 0.0
    shape: Literal["step", "cosine", "poly"] = "step"
    milestones: tuple[float, ...] = (12.0, 15.0, 18.0)
    factor: float = 0.1
    power: float = 2.0
    final: float = 0.0

    def __post_init__(self) -> None:
        if not self.epochs > 0 or not 0 <= self.warmup_epochs < self.epochs:
            raise UsageError(
                f"schedule: wanted epochs above 0 and a warm-up shorter than that, got {self.epochs:g} and "
                f"{self.warmup_epochs:g}"
            )
        if list(self.milestones) != sorted(set(self.milestones)):
            raise UsageError(f"schedule: milestones must rise, got {list(self.milestones)}")
        if not 0 < self.factor <= 1 or not 0 <= self.final <= 1 or not self.power > 0:
            raise UsageError("schedule: wanted factor in (0, 1], final in [0, 1] and power above 0")


def steps_of_run(config: ScheduleConfig, pictures: int, batch: int) -> int:
    """Steps after which each picture was seen at least `epochs` times."""
    return max(1, math.ceil(config.epochs * pictures / batch))


def rate_factor(config: ScheduleConfig, epoch: float) -> float:
    """What the full rate is multiplied with at `epoch` (0 is the start); 0..1."""
    if epoch < config.warmup_epochs:
        return epoch / config.warmup_epochs
    if config.shape == "step":
        return config.factor ** bisect.bisect_right(config.milestones, epoch)
    t = min(1.0, (epoch - config.warmup_epochs) / (config.epochs - config.warmup_epochs))
    fall = (1 + math.cos(math.pi * t)) / 2 if config.shape == "cosine" else (1 - t) ** config.power
    return config.final + (1 - config.final) * fall


def rate_factor_of_step(config: ScheduleConfig, step: int, pictures: int, batch: int) -> float:
    """`rate_factor` of a step (from 0). During the warm-up that of the step's end, so that the first one
    learns.
    """
    epoch = step * batch / pictures
    if epoch < config.warmup_epochs:
        return min(1.0, (step + 1) * batch / pictures / config.warmup_epochs)
    return rate_factor(config, epoch)
