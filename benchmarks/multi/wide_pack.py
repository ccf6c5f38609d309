"""A pack of as many people as there are who are not learned from, and who is who (`OUT.people`).

    multiface prepare lfw LFW --out crops
    python benchmarks/multi/wide_pack.py TRAIN heldout.bin heldout.json LFW crops/lfw.bin wide.bin

Three groups of people, who meet nobody of another group:

- the people of the training records with two pictures, one pair each: an experiment with `least_pictures = 3` neither
  learns from them nor tunes on them;
- the people of the held-out pack, up to `MOST` pairs each;
- LFW's 6,000 pairs as they are.

Of the first two there are as many pairs of two people as of one, drawn at random within a fold; no two folds share a
person. LFW's ten sets go to the ten folds.
"""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np

from multiface.datasets.bin_pack import read_bin, write_bin
from multiface.datasets.lfw import LfwFolder
from multiface.evaluate.protocol import PairSet
from multiface.train.training_set import open_training_set

FOLDS, MOST = 10, 10

Picture = tuple[str, bytes]
"""Whose, and the file."""
Pair = tuple[Picture, Picture]


def two_pictures_each(train: Path) -> dict[str, list[bytes]]:
    found = open_training_set((str(train),))
    several = np.flatnonzero(np.bincount(found.labels) == 2)
    return {
        f"train {person}": [found.read(int(i)) for i in np.flatnonzero(found.labels == person)]
        for person in several
    }


def held_out(pack: Path, people: Path) -> dict[str, list[bytes]]:
    pictures = read_bin(pack).pictures
    found: dict[str, dict[int, bytes]] = {}
    for one, picture in zip(json.loads(people.read_text()), pictures, strict=True):
        assert isinstance(picture, bytes)
        found.setdefault(f"heldout {one['identity']}", {})[one["picture"]] = picture
    return {person: list(files.values()) for person, files in found.items()}


def pairs_of(people: dict[str, list[bytes]], random: np.random.Generator) -> tuple[list[Pair], list[Pair]]:
    """Pairs of one person, and as many of two."""
    genuine: list[Pair] = []
    for person, files in people.items():
        all_pairs = list(itertools.combinations(files, 2))
        taken = random.permutation(len(all_pairs))[:MOST]
        genuine += [((person, all_pairs[i][0]), (person, all_pairs[i][1])) for i in taken]
    names = list(people)
    impostor: list[Pair] = []
    while len(impostor) < len(genuine):
        a, b = (names[i] for i in random.choice(len(names), 2, replace=False))
        impostor.append(
            ((a, people[a][random.integers(len(people[a]))]), (b, people[b][random.integers(len(people[b]))]))
        )
    return genuine, impostor


def lfw_pairs(folder: Path, pack: Path) -> list[list[Pair]]:
    """By LFW's own set."""
    lfw = LfwFolder.open(folder)
    protocol, crops = PairSet.from_lfw(lfw.pairs, "lfw"), read_bin(pack)
    assert np.array_equal(protocol.issame, crops.issame)
    names = [f"lfw {path.parent.name}" for path in lfw.paths]
    found: list[list[Pair]] = [[] for _ in range(FOLDS)]
    for q, (left, right) in enumerate(zip(protocol.left, protocol.right, strict=True)):
        a, b = crops.pictures[2 * q : 2 * q + 2]
        assert isinstance(a, bytes) and isinstance(b, bytes)
        found[protocol.fold[q]].append(((names[left], a), (names[right], b)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("train", "heldout", "heldout_people", "lfw", "lfw_pack", "out"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    random = np.random.default_rng(18)
    people = two_pictures_each(given.train) | held_out(given.heldout, given.heldout_people)
    # Those with the most pictures are dealt first, so that the folds come out alike.
    names = sorted(random.permutation(list(people)), key=lambda name: -len(people[name]))
    folds = [
        pairs_of({str(name): people[str(name)] for name in names[fold::FOLDS]}, random)
        for fold in range(FOLDS)
    ]
    each = min(len(genuine) for genuine, _ in folds)  # folds are cut by the number of pairs
    pairs = [
        pair
        for (genuine, impostor), of_lfw in zip(folds, lfw_pairs(given.lfw, given.lfw_pack), strict=True)
        for pair in (*genuine[:each], *impostor[:each], *of_lfw)
    ]
    write_bin(given.out, [file for pair in pairs for _, file in pair], [a[0] == b[0] for a, b in pairs])
    shown = [whose for pair in pairs for whose, _ in pair]
    given.out.with_suffix(".people").write_text("\n".join(shown) + "\n")
    print(f"{given.out}: {len(pairs)} pairs of {len(set(shown))} people, {2 * each} of each fold not of LFW")


if __name__ == "__main__":
    main()
