"""Which learning rate: the loss while the rate rises from nearly nothing until the loss explodes.

The rate of step k is low * (high / low) ** (k / steps). The loss is smoothed as a running mean with weight
0.98, corrected for its start at zero (divided by 1 - 0.98 ** (k + 1)). The search ends when the smoothed loss
exceeds three times the best so far, or is no number, or all steps are done. Weights that were learned from
here are of no use afterwards.

Source: Smith 2017 (arXiv:1506.01186); constants as `find_lr` of the original MultiFace.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from multiface.arrays import Pixels
from multiface.datasets.identities import IdentitySet
from multiface.errors import InputError
from multiface.images import save_picture
from multiface.progress import Progress
from multiface.train.batches import Share, batches
from multiface.train.beginning import first_weights
from multiface.train.chart import Axis, line_chart
from multiface.train.distil import Teacher
from multiface.train.loop import build_learner
from multiface.train.optimiser import set_rate
from multiface.train.processes import Place, seed_step
from multiface.train.recipe import Recipe
from multiface.train.step import add_gradients, finish_step, set_mode, to_input

SMOOTHING = 0.98
EXPLODED = 3.0


@dataclass(frozen=True, slots=True)
class RateSearch:
    """rates: of each step, rising. losses: smoothed, before the step with that rate. Of equal length.

    suggested: a tenth of the rate at the lowest loss, a common choice.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggested: float


def find_rate(
    recipe: Recipe,
    pictures: IdentitySet,
    place: Place,
    low: float = 1e-8,
    high: float = 10.0,
    steps: int = 100,
    report: Progress = lambda _done, _total: None,
    teacher: Teacher | None = None,
) -> RateSearch:
    """Learns with rising rates, by the recipe's network, head, data, batch and first weights, in one process.

    teacher: the recipe's, where it names one.

    Raises InputError where the loss is no number at the first step, WeightsError for first weights that cannot be
    used.
    """
    learner, _ = build_learner(recipe, pictures, place)
    first_weights(recipe, pictures, learner, None)
    set_mode(learner.network, recipe.start)
    share = Share(recipe.run.batch, recipe.run.accumulate, 0, 1)
    stream = batches(pictures, recipe.augment, share, recipe.run.seed, range(steps), recipe.data.workers)
    smoothing = Smoothing()
    rates: list[float] = []
    losses: list[float] = []
    for step in range(steps):
        seed_step(recipe.run.seed, step, 0)
        rate = low * (high / low) ** (step / steps)
        set_rate(learner.optimiser, rate)
        parts = []
        for number in range(share.accumulate):
            part = next(stream)
            given = to_input(part.pixels, place.device, recipe.data.colour, recipe.run.channels_last)
            labels = part.labels.to(place.device)
            taught = None if teacher is None else teacher.features(part.pixels, place.device)
            loss, _ = add_gradients(learner, given, labels, share.accumulate, number, share.sizes, taught)
            parts.append(loss)
        if smoothing.exploded(finish_step(learner, torch.stack(parts).mean()).loss):
            break
        rates.append(rate)
        losses.append(smoothing.value)
        report(step + 1, steps)
    if not rates:
        raise InputError("the loss is not a number at the very first step", hint="check the data")
    return RateSearch(tuple(rates), tuple(losses), rates[int(np.argmin(losses))] / 10)


class Smoothing:
    """The running mean of losses, and the best it was. value: the smoothed loss."""

    def __init__(self) -> None:
        self.value = math.nan
        self._mean = 0.0
        self._count = 0
        self._best = math.inf

    def exploded(self, loss: float) -> bool:
        """Takes in a loss; whether the smoothed one is now over EXPLODED times the best (from the second
        on).
        """
        self._count += 1
        self._mean = SMOOTHING * self._mean + (1 - SMOOTHING) * loss
        self.value = self._mean / (1 - SMOOTHING**self._count)
        if not math.isfinite(loss) or (self._count > 1 and self.value > EXPLODED * self._best):
            return True
        self._best = min(self._best, self.value)
        return False


def draw_search(search: RateSearch) -> Pixels:
    """The smoothed loss over the rate, the suggested rate marked: uint8 (h, w, 3) RGB."""
    powers = np.log10(search.rates)
    low, high = math.floor(powers[0]), math.ceil(powers[-1])
    return line_chart(
        powers,
        search.losses,
        Axis.decades("learning rate", low, max(high, low + 1)),
        Axis.even("loss (smoothed)", 0.0, 1.1 * search.losses[0] if search.losses[0] > 0 else 1.0),
        f"suggested rate {search.suggested:.1e}",
        mark=math.log10(search.suggested),
    )


def save_search(search: RateSearch, path: Path) -> None:
    """The chart as a picture file (.png). Raises PictureError where it cannot be written."""
    save_picture(draw_search(search), path)
