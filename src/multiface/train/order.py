"""In which order a run sees its pictures: a function of seed and position alone.

The shuffled pictures of all epochs stand one behind the other in an endless row, and a step takes the next
`batch` of them. So each picture comes once an epoch, every batch is full (none of a single picture, which
batch norm could not use), a batch may reach into the next epoch, and a run goes on anywhere knowing only its
step.
"""

from dataclasses import dataclass

import numpy as np

from multiface.arrays import Ints


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture in an epoch: the counter of its random numbers."""

    epoch: int
    picture: int


class Order:
    """The row of n shuffled pictures an epoch."""

    def __init__(self, pictures: int, seed: int) -> None:
        self._pictures = pictures
        self._seed = seed
        self._epoch = -1
        self._shuffled: Ints = np.empty(0, np.int64)

    def samples(self, start: int, stop: int) -> tuple[Sample, ...]:
        """What stands at positions start..stop - 1."""
        return tuple(self._sample(position) for position in range(start, stop))

    def _sample(self, position: int) -> Sample:
        epoch, place = divmod(position, self._pictures)
        if epoch != self._epoch:
            # Philox with another counter than any sample's: its last word is 1, theirs 0.
            philox = np.random.Philox(key=self._seed, counter=[0, epoch, 0, 1])
            self._shuffled = np.random.Generator(philox).permutation(self._pictures)
            self._epoch = epoch
        return Sample(epoch, int(self._shuffled[place]))
