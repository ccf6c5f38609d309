"""Do the stated rates hold for people whom the calibration has not seen? Stated against seen FPIR, and the price.

    python benchmarks/rates.py LFW-FOLDER --vectors lfw.npz

The people are split in two halves. A calibration is fitted on one half; galleries and strangers come from the other,
and then the other way round. Random galleries: people drawn at random, and everybody else is a stranger. Look-alikes:
a person drawn at random and the nearest people; the strangers are the 50 people who are the next nearest to
the mean of these. Both are chosen by **another** network (`--chooser`), so that the choice neither favours nor punishes
the one measured. Each person is enrolled with one picture, or with one to five at random, as far as there are so
many; the pictures left are the probes of the known.

Seen: the share of strangers, each counting once, who reach the threshold of somebody, by the threshold among people
at large (before) and by that of the gallery (after, `decision.own_rate`). FNIR: the share of the probes of known
people that do not reach the threshold of their own person as the best one. Intervals: 95 %, galleries and people drawn
with replacement. A tenth above: the seen share that one gallery in ten lies above.

--vectors: a file for the embeddings (`plain` and `chooser`, (n, d) and (n, e), and `person`, (n,)); it is written
where it is not there, and read instead of the pictures where it is.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multiface.datasets.people import portraits_by_person
from multiface.decision.calibration import Calibration
from multiface.decision.fitting import fit_calibration
from multiface.decision.own_rate import own_rate
from multiface.evaluate.measure import embed_portraits
from multiface.faces.opening import open_detector, open_embedder
from multiface.gallery import Matrix, score_people
from multiface.weights.places import default_cache_folder, default_store_folder
from multiface.weights.session import Engine, usable_processors
from multiface.weights.store import Store

SIZES = {"random": ((10, 100), (100, 30), (1000, 5)), "look-alikes": ((10, 100), (80, 30))}
"""People enrolled and galleries drawn from each half."""
STRANGERS = 50
"""Of look-alikes."""
MOST_PICTURES = 5
BOOTSTRAPS = 1000


@dataclass(frozen=True)
class Half:
    """Unit embeddings (n, d), those of the chooser (n, e), person (n,) 0..m-1, and a calibration of the others."""

    embeddings: np.ndarray
    chooser: np.ndarray
    person: np.ndarray
    calibration: Calibration


@dataclass(frozen=True)
class Seen:
    """Of g galleries and m people, before [0] and after [1]; NaN where a person is no stranger, or has no probe.

    named, missed: (2, g, m) shares of a stranger's pictures that are named, of a known person's probes that are missed.
    shift: (g,) of the threshold.
    """

    named: np.ndarray
    missed: np.ndarray
    shift: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--detector", default="yunet_onet")
    parser.add_argument("--weights", default="sface")
    parser.add_argument("--flip", action="store_true")
    parser.add_argument("--chooser", default="mobilefacenet_128_ms1m")
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--store", type=Path, default=default_store_folder())
    parser.add_argument("--cache", type=Path, default=default_cache_folder())
    given = parser.parse_args()
    if not given.vectors.exists():
        write_vectors(given)
    known = np.load(given.vectors)
    halves = split(unit(known["plain"]), unit(known["chooser"]), known["person"])
    print(
        f"{given.detector} + {given.weights}, look-alikes by {given.chooser}; {100 * given.rate:g} % stated"
    )
    table(halves, given.rate)


def write_vectors(given: argparse.Namespace) -> None:
    """Embed all pictures of the folder by both networks."""
    store = Store(given.store, given.cache)
    engine = Engine("cpu", 1)
    detector = open_detector(store, given.detector, engine)
    pictures = portraits_by_person(given.folder)
    paths = [picture.path for picture in pictures]
    measured, chooser = (
        embed_portraits(
            paths, detector, open_embedder(store, name, engine), flip, usable_processors()
        ).embeddings
        for name, flip in ((given.weights, given.flip), (given.chooser, True))
    )
    person = np.array([picture.person for picture in pictures])
    np.savez(given.vectors, plain=measured, chooser=chooser, person=person)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def split(embeddings: np.ndarray, chooser: np.ndarray, people: np.ndarray) -> list[Half]:
    """Both halves of the people, drawn at random."""
    _, person = np.unique(people, return_inverse=True)
    first = np.random.default_rng(0).permutation(person.max() + 1)[: (person.max() + 1) // 2]
    inside = np.isin(person, first)
    halves = []
    for own, others in ((inside, ~inside), (~inside, inside)):
        calibration = fit_calibration(
            embeddings[others],
            person[others],
            detector="",
            weights="",
            fingerprint="",
            flip=False,
            set_name="the other half",
            made_by="benchmarks/rates.py",
        )
        _, numbers = np.unique(person[own], return_inverse=True)
        halves.append(Half(embeddings[own], chooser[own], numbers, calibration))
    return halves


def galleries(half: Half, kind: str, people: int, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """People enrolled, in rising order, and strangers."""
    rng = np.random.default_rng([people, count])
    everybody = int(half.person.max()) + 1
    sums = np.zeros((everybody, half.chooser.shape[1]))
    np.add.at(sums, half.person, half.chooser)
    means = unit(sums)
    for _ in range(count):
        if kind == "random":
            enrolled = rng.choice(everybody, people, replace=False)
            strangers = np.setdiff1d(np.arange(everybody), enrolled)
        else:
            enrolled = np.argsort(-(means @ means[rng.integers(everybody)]))[:people]
            nearest = np.argsort(-(means @ means[enrolled].mean(axis=0)))
            strangers = nearest[~np.isin(nearest, enrolled)][:STRANGERS]
        yield np.sort(enrolled), strangers


def measured(half: Half, kind: str, people: int, count: int, most: int, rate: float) -> Seen:
    """Galleries of this kind and size with at most so many pictures a person."""
    everybody = int(half.person.max()) + 1
    named = np.full((2, count, everybody), np.nan)
    missed = np.full((2, count, everybody), np.nan)
    shift = np.empty(count)
    rng = np.random.default_rng(0)
    pictures = [np.flatnonzero(half.person == k) for k in range(everybody)]
    for g, (enrolled, strangers) in enumerate(galleries(half, kind, people, count)):
        drawn = [rng.permutation(pictures[k])[: rng.integers(1, most + 1)] for k in enrolled]
        templates = np.concatenate(drawn)
        index = np.repeat(np.arange(people), [len(own) for own in drawn])
        matrix = Matrix(half.embeddings[templates], index, tuple(str(k) for k in enrolled))
        own = own_rate(matrix.vectors, index, matrix.centres, matrix.spread, half.calibration, rate)
        shift[g] = own.shift
        above = score_people(half.embeddings, matrix, "mean") - half.calibration.rise(matrix.spread)
        best = above.argmax(axis=1)
        probes = np.isin(half.person, enrolled)
        probes[templates] = False
        for k, threshold in enumerate((own.calibrated, own.similarity)):
            hit = above.max(axis=1) >= threshold
            right = hit & (enrolled[best] == half.person)
            named[k, g, strangers] = _by_person(half.person, hit)[strangers]
            tried = np.unique(half.person[probes])
            missed[k, g, tried] = 1 - _by_person(half.person[probes], right[probes], everybody)[tried]
    return Seen(named, missed, shift)


def _by_person(person: np.ndarray, happened: np.ndarray, people: int = 0) -> np.ndarray:
    """The share of each person's pictures."""
    count = np.bincount(person, minlength=people)
    return np.bincount(person, weights=happened, minlength=people) / np.maximum(count, 1)


def with_interval(shares: list[np.ndarray]) -> str:
    """The mean of all shares (g, m) that are not NaN, one array a half, in per cent with its interval."""
    rng = np.random.default_rng(0)
    above, below = np.zeros(BOOTSTRAPS), np.zeros(BOOTSTRAPS)
    for share in shares:
        there = ~np.isnan(share)
        g, m = (rng.multinomial(n, np.full(n, 1 / n), BOOTSTRAPS) for n in share.shape)
        above += ((g @ np.where(there, share, 0)) * m).sum(axis=1)
        below += ((g @ there) * m).sum(axis=1)
    low, high = np.quantile(above / below, [0.025, 0.975])
    mean = np.concatenate([share[~np.isnan(share)] for share in shares]).mean()
    return f"{100 * mean:.2f} ({100 * low:.2f}-{100 * high:.2f})"


def worst_tenth(shares: list[np.ndarray]) -> str:
    """What a tenth of the galleries lies above, in per cent."""
    each = np.concatenate([np.nanmean(share, axis=1) for share in shares])
    return f"{100 * np.quantile(each, 0.9):.1f}"


def table(halves: list[Half], rate: float) -> None:
    """Print the Markdown table."""
    print(
        "| gallery | people | pictures | seen % before | seen % after | a tenth above, before | after "
        "| FNIR % before | FNIR % after | mean shift |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for kind, sizes in SIZES.items():
        for people, count in sizes:
            for most in (1, MOST_PICTURES):
                seen = [measured(half, kind, people, count, most, rate) for half in halves]
                named = [with_interval([one.named[k] for one in seen]) for k in (0, 1)]
                tenth = [worst_tenth([one.named[k] for one in seen]) for k in (0, 1)]
                missed = [with_interval([one.missed[k] for one in seen]) for k in (0, 1)]
                cells = [*named, *tenth, *missed]
                shift = np.concatenate([one.shift for one in seen]).mean()
                pictures = "1" if most == 1 else f"1 to {most}"
                print(
                    f"| {kind} | {people:,} | {pictures} | {' | '.join(cells)} | {shift:+.4f} |", flush=True
                )


if __name__ == "__main__":
    main()
