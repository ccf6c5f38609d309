"""How well unknown faces are grouped: the album's groups beside the field's habits, on the same vectors.

    python benchmarks/album_groups.py ../shared/data/lfw            # 7,701 pictures with their names hidden: minutes
    python benchmarks/album_groups.py ../shared/data/lfw --synthetic 100000

LFW: the face in the middle of each picture, default networks, poor faces too, nobody known. Each method has one
setting; ours is that of the package: the threshold of so many people at half of 1 %. The others get the best of a row
of settings by the labels (F1 of pairs), which is more than a user can do.

Pairs: precision is the share of the joined pairs that are one person, recall the share of the pairs of one person that
are joined. B-cubed: the mean over pictures of the same shares in the picture's own group. Intervals: people drawn anew
1,000 times. Some people have two names in LFW; what that costs is told with both names as one (`SAME_PERSON`).
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.cluster import DBSCAN, HDBSCAN

from multiface import Recognizer
from multiface.arrays import Floats, Ints
from multiface.decision import Calibration
from multiface.recognition.grouping import Unknown, grouped, least_similarity, rounded_up

RATE = 0.01
SAME_PERSON = (
    ("Jon_Gruden", "John_Gruden"),
    ("Sepp_Blatter", "Joseph_Blatter"),
    ("Mireya_Moscoso", "Mireya_Elisa_Moscoso_Rodriguez"),
    ("Nan_Wang", "Wang_Nan"),
    ("Hassan_Wirajuda", "Hasan_Wirayuda"),
    ("Chyung_Dai-chul", "Dai_Chul_Chyung"),
    ("Cristina_Fernandez", "Cristina_Kirchner"),
    ("Felipe_De_Borbon", "Prince_Felipe"),
    ("John_Barnett", "John_Burnett"),
    ("Odai_Hussein", "Uday_Hussein"),
)
"""One person by their names and titles; found by looking at what the groups joined."""


@dataclass(frozen=True, slots=True)
class Score:
    """precision, recall: of pairs. cubed: B-cubed precision and recall. groups: of two or more."""

    precision: float
    recall: float
    cubed: tuple[float, float]
    groups: int


def score(labels: Ints, people: Ints) -> Score:
    table: dict[tuple[int, int], int] = {}
    for pair in zip(labels.tolist(), people.tolist(), strict=True):
        table[pair] = table.get(pair, 0) + 1
    of_group, of_person = np.bincount(labels), np.bincount(people)

    def pairs(counts: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> float:
        return float((counts * (counts - 1) // 2).sum())

    together = pairs(np.array(list(table.values())))
    cubed = [
        sum(count * count / size[key[k]] for key, count in table.items()) / len(labels)
        for k, size in ((0, of_group), (1, of_person))
    ]
    return Score(
        together / max(1.0, pairs(of_group)),
        together / max(1.0, pairs(of_person)),
        (cubed[0], cubed[1]),
        int((of_group > 1).sum()),
    )


def interval(
    labels: Ints, people: Ints, times: int = 1000
) -> tuple[tuple[float, float], tuple[float, float]]:
    """95 % intervals of precision and recall of pairs: people are drawn with replacement, with all their pictures."""
    count = int(people.max()) + 1
    joined, right = np.zeros(count), np.zeros(count)
    sizes = np.bincount(people)
    for group in range(int(labels.max()) + 1):
        own = people[labels == group]
        if len(own) > 1:
            within = np.bincount(own, minlength=1)
            for person in np.unique(own):
                k = int(within[person])
                joined[person] += k * (len(own) - 1) / 2
                right[person] += k * (k - 1) / 2
    wanted = sizes * (sizes - 1) / 2
    random = np.random.default_rng(1)
    drawn = random.multinomial(count, np.full(count, 1 / count), size=times)
    precision = (drawn @ right) / np.maximum(1, drawn @ joined)
    recall = (drawn @ right) / np.maximum(1, drawn @ wanted)
    first, second = (tuple(map(float, np.quantile(one, [0.025, 0.975]))) for one in (precision, recall))
    return (first[0], first[1]), (second[0], second[1])


def ours(vectors: Floats, calibration: Calibration) -> Ints:
    """As `Album` groups, with nobody known and each face in a photo of its own."""
    least = least_similarity(calibration, RATE, rounded_up(len(vectors)))
    count = len(vectors)
    return grouped(Unknown(vectors, [frozenset()] * count, np.full(count, -1, np.int64)), calibration, least)


def chinese_whispers(vectors: Floats, least: float, rounds: int = 30) -> Ints:
    """Biemann (2006), as dlib has it: each face takes the label most of its neighbours have, weighted by cosine."""
    near = [np.flatnonzero(row >= least) for row in vectors @ vectors.T]
    labels, random = np.arange(len(vectors)), np.random.default_rng(1)
    for _ in range(rounds):
        before = labels.copy()
        for k in random.permutation(len(vectors)):
            others = near[k][near[k] != k]
            if len(others):
                weights = vectors[others] @ vectors[k]
                known, index = np.unique(labels[others], return_inverse=True)
                labels[k] = known[np.argmax(np.bincount(index, weights))]
        if (before == labels).all():
            break
    return compact(labels)


def dbscan(vectors: Floats, least: float) -> Ints:
    return singles(DBSCAN(eps=1 - least, min_samples=2, metric="cosine", n_jobs=2).fit_predict(vectors))


def hdbscan(vectors: Floats, share: float) -> Ints:
    """On Euclidean distances of unit vectors, which order as cosines do. share: `alpha`, by which distances are scaled
    in the tree; its `cluster_selection_epsilon` fails in scikit-learn 1.9 with NumPy 2.
    """
    return singles(HDBSCAN(min_cluster_size=2, min_samples=1, alpha=share, copy=True).fit_predict(vectors))


def singles(labels: Ints) -> Ints:
    """What is in no cluster is one of its own."""
    free = labels < 0
    labels = labels.copy()
    labels[free] = labels.max() + 1 + np.arange(free.sum())
    return compact(labels)


def compact(labels: Ints) -> Ints:
    return np.unique(labels, return_inverse=True)[1]


def faces_of_lfw(folder: Path, recognizer: Recognizer, cache: Path) -> tuple[Floats, list[str]]:
    """The vector of the face in the middle of each picture, and the names."""
    if cache.exists():
        kept = np.load(cache)
        return kept["vectors"], kept["names"].tolist()
    files = sorted(folder.glob("*/*.jpg"))
    vectors, names = [], []
    for file in files:
        found = recognizer.analyse(file)
        if len(found.faces):
            boxes = found.faces.boxes
            centre = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.array([found.width, found.height]) / 2
            area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
            vectors.append(found.embeddings[int(np.argmax(area - 2 * (centre**2).sum(axis=1)))])
            names.append(file.parent.name)
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez(cache, vectors=np.array(vectors), names=np.array(names))
    return np.array(vectors), names


def timed(work: Callable[[], Ints]) -> tuple[Ints, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def told(name: str, labels: Ints, people: Ints, seconds: float, once: Ints | None = None) -> None:
    found = score(labels, people)
    low, high = interval(labels, people)
    merged = "" if once is None else f"  one name each: {100 * score(labels, once).precision:.2f} %"
    print(
        f"{name:34} precision {100 * found.precision:6.2f} % ({100 * low[0]:.1f} to {100 * low[1]:.1f})  recall "
        f"{100 * found.recall:6.2f} % ({100 * high[0]:.1f} to {100 * high[1]:.1f})  B-cubed "
        f"{100 * found.cubed[0]:.2f}, {100 * found.cubed[1]:.2f} %  groups {found.groups:,}  {seconds:.1f} s of CPU"
        f"{merged}"
    )


def lfw(folder: Path, recognizer: Recognizer, cache: Path) -> None:
    vectors, names = faces_of_lfw(folder, recognizer, cache)
    people = compact(np.array(names))
    one_name = {other: one for one, other in SAME_PERSON}
    once = compact(np.array([one_name.get(name, name) for name in names]))
    print(f"LFW: {len(vectors):,} faces, {people.max() + 1:,} people")
    labels, seconds = timed(lambda: ours(vectors, recognizer.calibration))
    told("album", labels, people, seconds, once)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(vectors))
        shuffled = np.empty(len(vectors), np.int64)
        shuffled[order] = ours(vectors[order], recognizer.calibration)
        same = len(np.unique(np.stack([labels, shuffled]), axis=1).T) == labels.max() + 1
        print(f"  in another order: {'the same groups' if same else 'OTHER GROUPS'}")
    for name, method in (("DBSCAN", dbscan), ("HDBSCAN", hdbscan), ("Chinese whispers", chinese_whispers)):
        best, chosen = -1.0, None
        for least in np.arange(0.7, 1.5, 0.1) if method is hdbscan else np.arange(0.40, 0.72, 0.04):
            labels, seconds = timed(lambda: method(vectors, float(least)))  # noqa: B023
            found = score(labels, people)
            f1 = 2 * found.precision * found.recall / max(1e-9, found.precision + found.recall)
            if f1 > best:
                best, chosen = f1, (labels, seconds, float(least))
        assert chosen is not None
        told(f"{name} (best of 8: {chosen[2]:.2f})", chosen[0], people, chosen[1], once)


def synthetic(count: int, recognizer: Recognizer) -> None:
    """Faces of people with 1 to 40 pictures each; two of one person have a cosine of about 0.68, as in LFW."""
    random = np.random.default_rng(7)
    sizes = random.geometric(0.25, size=count)
    people = np.repeat(np.arange(count), np.minimum(sizes, 40))[:count]
    centres = random.normal(size=(int(people.max()) + 1, 128))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    noise = random.normal(size=(count, 128))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    vectors = centres[people] + 0.68 * noise
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    order = random.permutation(count)
    labels, seconds = timed(lambda: ours(vectors[order], recognizer.calibration))
    print(f"synthetic: {count:,} faces, {people.max() + 1:,} people")
    found = score(labels, people[order])
    print(
        f"album: precision {100 * found.precision:.2f} %, recall {100 * found.recall:.2f} %, {seconds:.0f} s of CPU"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lfw", type=Path, help="the folder of LFW, NAME/NAME_0001.jpg")
    parser.add_argument("--synthetic", type=int, default=0, metavar="N", help="also N made-up faces")
    parser.add_argument(
        "--vectors", type=Path, default=Path("build") / "lfw-vectors.npz", help="kept between runs"
    )
    arguments = parser.parse_args()
    with Recognizer() as recognizer:
        lfw(arguments.lfw, recognizer, arguments.vectors)
        if arguments.synthetic:
            synthetic(arguments.synthetic, recognizer)


if __name__ == "__main__":
    main()
