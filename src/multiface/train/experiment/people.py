"""Who an experiment learns from and who it tunes on; wrong labels on purpose."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from multiface.arrays import Ints, Pixels
from multiface.datasets.identities import IdentitySet, Pictures
from multiface.errors import DataSetError
from multiface.evaluate.protocol import PairSet
from multiface.metrics.folds import fold_index
from multiface.train.crops import decode_crops
from multiface.train.validation import ValidationSet

FOLDS = 10
_SEED = 26


@dataclass(frozen=True, slots=True)
class People:
    """learned: pictures of people who are learned from. tuned: pairs of other people, for tuning."""

    learned: IdentitySet
    tuned: ValidationSet


def divide(pictures: IdentitySet, least: int, people: int, pairs: int) -> People:
    """Divides the people of a set who have `least` pictures or more; the same division always.

    people: so many are tuned on, drawn from those with two pictures or more. pairs: of the same person, at most, and as
    many of two. Raises DataSetError where there are too few people.
    """
    counts = np.bincount(pictures.labels, minlength=pictures.classes)
    enough = np.flatnonzero(counts >= least)
    several = enough[counts[enough] >= 2]
    if len(several) < people or len(enough) < people + 2:
        raise DataSetError(
            f"the data has {len(enough)} people with {least} pictures or more, {len(several)} of them with two or "
            f"more: too few to tune on {people} and learn from the others"
        )
    random = np.random.default_rng(_SEED)
    tuned = np.sort(random.permutation(several)[:people])
    learned = np.setdiff1d(enough, tuned)
    return People(chosen(pictures, learned), tuning_pairs(chosen(pictures, tuned), pairs, random))


def chosen(pictures: IdentitySet, people: Ints) -> IdentitySet:
    """The pictures of some people, int64 ascending, who are numbered anew in that order."""
    which = np.flatnonzero(np.isin(pictures.labels, people))
    labels = np.searchsorted(people, pictures.labels[which]).astype(np.int64)
    return IdentitySet(labels, len(people), _Some(pictures.pictures, which), pictures.notes)


def with_wrong_labels(pictures: IdentitySet, share: float, seed: int) -> IdentitySet:
    """The same pictures; of a share of them (rounded, drawn by the seed) the label is that of somebody else, each as
    likely.
    """
    random = np.random.default_rng((seed, _SEED))
    wrong = random.permutation(len(pictures))[: round(share * len(pictures))]
    labels = pictures.labels.copy()
    labels[wrong] = (labels[wrong] + random.integers(1, pictures.classes, len(wrong))) % pictures.classes
    return replace(pictures, labels=labels)


def tuning_pairs(pictures: IdentitySet, pairs: int, random: np.random.Generator) -> ValidationSet:
    """Pairs of the same person, at most `pairs` of all there are, and as many of two people."""
    labels = pictures.labels
    first, second = np.triu_indices(len(labels), 1)
    same = labels[first] == labels[second]
    genuine = random.permutation(np.flatnonzero(same))[:pairs]
    impostor = random.permutation(np.flatnonzero(~same))[: len(genuine)]
    taken = np.sort(np.concatenate([genuine, impostor]))
    left, right = first[taken].astype(np.int64), second[taken].astype(np.int64)
    issame = labels[left] == labels[right]
    fold = np.empty(len(taken), np.int64)
    for kind in (issame, ~issame):
        if int(kind.sum()) < FOLDS:
            raise DataSetError(f"the people to tune on have {int(kind.sum())} pairs; wanted {FOLDS} or more")
        fold[kind] = random.permutation(fold_index(int(kind.sum()), FOLDS))
    pair_set = PairSet("tuning", left, right, issame, fold, labels[left], labels[right])
    return ValidationSet(pair_set, _Crops(pictures))


@dataclass(frozen=True, slots=True, eq=False)
class _Some:
    """Some pictures of a set: number i is number which[i] of the set."""

    pictures: Pictures
    which: Ints

    def read(self, i: int) -> bytes:
        return self.pictures.read(int(self.which[i]))


@dataclass(frozen=True, slots=True)
class _Crops:
    pictures: IdentitySet

    def __len__(self) -> int:
        return len(self.pictures)

    def crops(self, start: int, stop: int) -> Pixels:
        files: Sequence[bytes] = [self.pictures.read(i) for i in range(start, stop)]
        return decode_crops(files, f"pictures to tune on, from {start} on")
