"""Do the promised rates hold for tracks? Measured on LFW; the tables are in docs/tracks.md.

    python benchmarks/track_rates.py LFW-FOLDER --detector scrfd_2.5g --weights mobilefacenet_128_ms1m

A "track" is 1 to 5 different pictures of one person, pooled with equal weights; a gallery has 1, 3 or 5 templates a
person. In each of 10 draws one half of the people with 5 pictures or more, drawn at random, are strangers; everybody
else with enough pictures is enrolled. Mated tracks are other pictures of those enrolled. Counted at the shipped
threshold for 1 %: strangers who are given a name (FPIR) and mated tracks that are not named rightly (FNIR), with three
rises of the threshold by the track's spread: none, half of that for a person's templates, all of it. The second table
asks what deciding again and again does: a stranger counts when any of the looks named him. Intervals: over people
drawn with replacement (95 %).
"""

import itertools

import numpy as np
from chosen_pair import chosen_pair

from multiface.decision import Calibration, decide
from multiface.gallery import Matrix, score_people
from multiface.video.tracks.pooling import PROBE_RISE, pooled
from multiface.video.tracks.views import Views
from multiface.weights.session import Engine

DRAWS = 10
LENGTHS = (1, 2, 3, 4, 5)
TEMPLATES = (1, 3, 5)
FPIR = 0.01
RISES = (0.0, 0.5, 1.0)
LOOKS: tuple[tuple[str, dict[int, float]], ...] = (
    ("at 3", {3: FPIR}),
    ("at 3, 4 and 5", dict.fromkeys((3, 4, 5), FPIR)),
    ("at 1, 2, 3, 4 and 5", dict.fromkeys(LENGTHS, FPIR)),
    (
        "at 1 and 2 with a third of the rate, at 3, 4 and 5",
        {1: FPIR / 3, 2: FPIR / 3, 3: FPIR, 4: FPIR, 5: FPIR},
    ),
)


def main() -> None:
    pair = chosen_pair(__doc__, Engine("cpu", 1))
    embeddings, people = pair.portraits()
    calibration = pair.calibration(pair.calibrations)
    print(pair.title)
    tables(embeddings, people, calibration)


class Gallery:
    """People enrolled with so many templates, and who is named at a rate."""

    def __init__(self, embeddings: np.ndarray, chosen: np.ndarray, calibration: Calibration) -> None:
        """chosen: (people, templates) rows of the embeddings."""
        people, templates = chosen.shape
        self.matrix = Matrix(
            np.ascontiguousarray(embeddings[chosen.ravel()]),
            np.repeat(np.arange(people), templates),
            tuple(str(k) for k in range(people)),
        )
        self._calibration = calibration

    def named(self, vectors: np.ndarray, rate: float, share: float = PROBE_RISE) -> str | None:
        """The name of a track with these vectors (n, d). share: of the full rise by the track's spread."""
        count = len(vectors)
        probe, spread = pooled(Views(np.arange(float(count)), np.ones(count, np.float32), vectors))
        own = self._calibration.rise(np.array([spread], np.float32))
        (decision,) = decide(
            score_people(probe[None], self.matrix, "mean"),
            self.matrix.names,
            self._calibration.threshold_for_identify(rate, len(self.matrix.names)),
            self._calibration.margin,
            self._calibration.rise(self.matrix.spread) + np.float32(share) * own,
        )
        return decision.name


def tables(embeddings: np.ndarray, people: np.ndarray, calibration: Calibration) -> None:
    """Print both Markdown tables for unit embeddings (n, d) of these people (n,)."""
    pictures = {int(p): np.flatnonzero(people == p) for p in np.unique(people)}
    often = np.array([p for p, own in pictures.items() if len(own) >= max(LENGTHS)])
    heads = [f"{what}, {rise:g} of the rise" for what in ("FPIR", "FNIR") for rise in RISES]
    print(f"| templates | people | pictures | {' | '.join(heads)} |")
    print("|---" * (3 + len(heads)) + "|")
    looks: dict[tuple[int, str], dict[int, list[bool]]] = {}
    for templates in TEMPLATES:
        rng = np.random.default_rng(0)
        named: dict[tuple[int, float], dict[int, list[bool]]] = {}
        missed: dict[tuple[int, float], dict[int, list[bool]]] = {}
        size = 0
        for _ in range(DRAWS):
            strangers = rng.permutation(often)[: len(often) // 2].tolist()
            order = {p: rng.permutation(own) for p, own in pictures.items()}
            enrolled = [p for p in pictures if p not in set(strangers) and len(order[p]) >= templates]
            gallery = Gallery(embeddings, np.array([order[p][:templates] for p in enrolled]), calibration)
            size = len(enrolled)
            for person in strangers:
                track = embeddings[order[person][: max(LENGTHS)]]
                for key in itertools.product(LENGTHS, RISES):
                    false = gallery.named(track[: key[0]], FPIR, key[1]) is not None
                    named.setdefault(key, {}).setdefault(person, []).append(false)
                for name, rates in LOOKS:
                    false = any(gallery.named(track[:n], rate) is not None for n, rate in rates.items())
                    looks.setdefault((templates, name), {}).setdefault(person, []).append(false)
            for position, person in enumerate(enrolled):
                track = embeddings[order[person][templates : templates + max(LENGTHS)]]
                if len(track) < max(LENGTHS):
                    continue
                for key in itertools.product(LENGTHS, RISES):
                    wrong = gallery.named(track[: key[0]], FPIR, key[1]) != str(position)
                    missed.setdefault(key, {}).setdefault(person, []).append(wrong)
        for length in LENGTHS:
            cells = [share_of(one[length, rise]) for one in (named, missed) for rise in RISES]
            print(f"| {templates} | {size} | {length} | {' | '.join(cells)} |", flush=True)
    print("\n| templates | decided | FPIR of a track |\n|---|---|---|")
    for (templates, name), outcomes in looks.items():
        print(f"| {templates} | {name} | {share_of(outcomes)} |")


def share_of(outcomes: dict[int, list[bool]]) -> str:
    """The share of true outcomes, with its interval over people, in per cent."""
    hits = np.array([sum(each) for each in outcomes.values()])
    tries = np.array([len(each) for each in outcomes.values()])
    drawn = np.random.default_rng(1).integers(0, len(hits), (1000, len(hits)))
    low, high = np.quantile(hits[drawn].sum(axis=1) / tries[drawn].sum(axis=1), [0.025, 0.975])
    return f"{100 * hits.sum() / tries.sum():.2f} % ({100 * low:.2f} to {100 * high:.2f})"


if __name__ == "__main__":
    main()
