"""The loader: picture files to batches of augmented pixels, by worker processes, the same however many there
are.

B faces of a part of a step: one process's share of it. A step of `batch` faces is cut into `accumulate`
parts, and each part among the processes, so that the faces of a step do not depend on the number of
processes. A picture that cannot be used is replaced by the one behind it in the set; it is named once a run.
"""

import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from multiface.arrays import Pixels
from multiface.datasets.identities import IdentitySet
from multiface.errors import DataSetError, UsageError
from multiface.train.augment import AugmentConfig, Draws, augment_pixels
from multiface.train.crops import SIDE, decode_pixels
from multiface.train.heads.shards import shard_bounds
from multiface.train.kept_pictures import KeptPictures
from multiface.train.order import Order, Sample

UNUSABLE_IN_A_ROW = 100
"""So many pictures in a row that cannot be used, and the set is refused."""
PREFETCH = 4
"""Batches that each worker makes ahead."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A picture that was skipped: its number in the set, and why."""

    picture: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """pixels: uint8 (B, SIDE, SIDE, 3) RGB. labels: int64 (B,). samples: int64 (B, 2), epoch and picture of
    each.

    unusable: pictures that were replaced in this batch.
    """

    pixels: Tensor
    labels: Tensor
    samples: npt.NDArray[np.int64]
    unusable: tuple[Unusable, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """Which faces of each step are this process's.

    batch: faces of a step in all processes together, a multiple of `accumulate`. Where the faces of a part cannot be
    shared equally, the first processes have one more.
    """

    batch: int
    accumulate: int
    rank: int
    processes: int

    @property
    def part(self) -> int:
        """Faces of one part in all processes."""
        return self.batch // self.accumulate

    @property
    def sizes(self) -> tuple[int, ...]:
        """B of each process, faces of one of its parts."""
        bounds = [shard_bounds(self.part, rank, self.processes) for rank in range(self.processes)]
        return tuple(stop - start for start, stop in bounds)

    @property
    def size(self) -> int:
        """B, faces of one part in this process."""
        return self.sizes[self.rank]

    def starts(self, step: int) -> tuple[int, ...]:
        """Positions in the order where this process's parts of a step begin."""
        first = step * self.batch + shard_bounds(self.part, self.rank, self.processes)[0]
        return tuple(first + part * self.part for part in range(self.accumulate))


def check_share(share: Share) -> None:
    """Raises UsageError where a part would hold one face or none: batch norms need two or more."""
    if min(share.sizes) < 2:
        least = 2 * share.accumulate * share.processes
        raise UsageError(
            f"run: a batch of {share.batch} for {share.processes} processes with {share.accumulate} parts each leaves "
            "one face a part or none, and batch norms need two or more",
            hint=f"choose a batch of at least {least}, fewer processes or a smaller `accumulate`",
        )


def batches(
    pictures: IdentitySet,
    config: AugmentConfig,
    share: Share,
    seed: int,
    steps: range,
    workers: int,
    pin: bool = False,
) -> Iterator[Batch]:
    """This process's batches of these steps, `share.accumulate` for each, in their order.

    workers: processes that make them; 0 makes them in this one. pin: into page-locked memory, for a GPU.
    Raises DataSetError where the records are broken, or UNUSABLE_IN_A_ROW pictures in a row cannot be used.
    """
    parts = _Parts(Order(len(pictures), seed), share, steps)
    with warnings.catch_warnings():
        # More workers than processors are the user's choice.
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        loader = DataLoader(
            _Pictures(pictures, config, seed),
            batch_size=None,
            sampler=parts,
            num_workers=workers,
            prefetch_factor=PREFETCH if workers else None,
            worker_init_fn=_start_worker if workers else None,
            pin_memory=pin,
            # Its own, so that opening a loader leaves torch's numbers as they were.
            generator=torch.Generator().manual_seed(seed),
        )
        stream = iter(loader)
    for pixels, labels, samples, unusable, failure in stream:
        if failure is not None:
            raise DataSetError(failure)
        yield Batch(pixels, labels, samples.numpy(), tuple(Unusable(*one) for one in unusable))


def load_sample(
    pictures: IdentitySet,
    sample: Sample,
    config: AugmentConfig,
    draws: Draws,
    note: Callable[[Unusable], None],
) -> tuple[Pixels, int]:
    """The augmented picture of a sample, uint8 (SIDE, SIDE, 3) RGB, and its label.

    A picture that cannot be used is told to `note` and replaced by the next in the set, with the same random
    numbers. Raises DataSetError after UNUSABLE_IN_A_ROW.
    """
    reason = ""
    for further in range(min(UNUSABLE_IN_A_ROW, len(pictures))):
        number = (sample.picture + further) % len(pictures)
        try:
            pixels = decode_pixels(pictures.read(number))
        except DataSetError as error:
            reason = str(error)
            note(Unusable(number, reason))
            continue
        numbers = draws.of(sample.epoch, sample.picture)
        return augment_pixels(pixels, config, numbers), int(pictures.labels[number])
    raise DataSetError(
        f"pictures {sample.picture} and those after it cannot be used (the last: {reason})",
        hint="mend the set; `multiface prepare photos` aligns photos",
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """What each batch holds, in their order."""

    order: Order
    share: Share
    steps: range

    def __len__(self) -> int:
        return len(self.steps) * self.share.accumulate

    def __iter__(self) -> Iterator[tuple[Sample, ...]]:
        for step in self.steps:
            for start in self.share.starts(step):
                yield self.order.samples(start, start + self.share.size)


Loaded = tuple[Tensor, Tensor, Tensor, list[tuple[int, str]], str | None]


class _Pictures(Dataset[Loaded]):
    """Whole batches, made where this lies: in a worker, or here.

    An error comes back as text: what crosses processes must not lose its class on the way.
    """

    def __init__(self, pictures: IdentitySet, config: AugmentConfig, seed: int) -> None:
        self._pictures = pictures
        self._config = config
        self._seed = seed
        self._draws: Draws | None = None

    def __getitem__(self, samples: tuple[Sample, ...]) -> Loaded:
        draws = self._draws = self._draws or Draws(self._seed)
        if isinstance(self._pictures.pictures, KeptPictures):
            return _kept_batch(self._pictures, self._pictures.pictures, self._config, draws, samples)
        pixels = np.empty((len(samples), SIDE, SIDE, 3), np.uint8)
        labels = np.empty(len(samples), np.int64)
        unusable: list[tuple[int, str]] = []
        failure = None
        try:
            for row, sample in enumerate(samples):
                pixels[row], labels[row] = load_sample(
                    self._pictures,
                    sample,
                    self._config,
                    draws,
                    lambda one: unusable.append((one.picture, one.reason)),
                )
        except DataSetError as error:
            failure = str(error)
        where = np.array([(sample.epoch, sample.picture) for sample in samples], np.int64)
        return torch.from_numpy(pixels), torch.from_numpy(labels), torch.from_numpy(where), unusable, failure


def _kept_batch(
    pictures: IdentitySet,
    kept: KeptPictures,
    config: AugmentConfig,
    draws: Draws,
    samples: tuple[Sample, ...],
) -> Loaded:
    """A batch of pictures in memory: flipped, or left as they are."""
    which = np.array([sample.picture for sample in samples])
    pixels = kept.pixels[which]
    flips = np.array([draws.of(sample.epoch, sample.picture)[0] < config.flip for sample in samples])
    pixels[flips] = pixels[flips][:, :, ::-1]
    where = np.array([(sample.epoch, sample.picture) for sample in samples], np.int64)
    labels = torch.from_numpy(pictures.labels[which])
    return torch.from_numpy(pixels), labels, torch.from_numpy(where), [], None


def _start_worker(_: int) -> None:
    # Ctrl-C reaches all processes of a terminal, SIGTERM of a scheduler often all of a job; workers end when the one
    # that they work for does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    torch.set_num_threads(1)
