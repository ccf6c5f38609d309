"""The two most similar people among many, one probe at a time, on one thread: this package, NumPy float32, and FAISS.

python benchmarks/gallery_search.py [--people 300000] [--dimension 128] [--probes 100] [--exact 1000]

Prints the median processor time of a probe for each, measured in turns in one run, and in how many of `--exact` probes
(FAISS: `--probes`) the two people and their similarities (to 1e-6) are those of NumPy. Half of the probes are like
somebody enrolled, half are strangers. FAISS (`pip install faiss-cpu`) is left out where it is not installed: flat
float32, and flat int8, which is approximate.
"""

import argparse
import os
import time
from collections.abc import Callable

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np
import numpy.typing as npt

from multiface.gallery.matrix import Block, Group, Matrix
from multiface.gallery.nearest import exact_similarities, nearest_people
from multiface.gallery.people_index import BLOCK, GROUP
from multiface.gallery.search import top_two

Floats = npt.NDArray[np.float32]
Answer = tuple[list[int], list[float]]
Search = Callable[[Floats], Answer]


def unit(values: Floats) -> Floats:
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values


def block(centres: Floats, at: int) -> Block:
    rows = centres[at : at + BLOCK]
    return Block.of(rows, np.arange(len(rows)), tuple(f"p{at + k}" for k in range(len(rows))))


def searches(matrix: Matrix) -> dict[str, Search]:
    centres = matrix.centres

    def ours(probe: Floats) -> Answer:
        positions = nearest_people(probe, matrix, 2)
        top = top_two(exact_similarities(probe, matrix, positions))
        found = positions[[int(top.best[0]), int(top.runner_up[0])]]
        return found.tolist(), [float(top.best_score[0]), float(top.runner_up_score[0])]

    def plain(probe: Floats) -> Answer:
        top = top_two(probe @ centres.T)
        return [int(top.best[0]), int(top.runner_up[0])], [
            float(top.best_score[0]),
            float(top.runner_up_score[0]),
        ]

    found: dict[str, Search] = {"multiface": ours, "NumPy float32": plain}
    try:
        import faiss
    except ImportError:
        return found
    faiss.omp_set_num_threads(1)
    flat = faiss.IndexFlatIP(matrix.dimension)
    small = faiss.IndexScalarQuantizer(
        matrix.dimension, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    small.train(centres)

    def of(index: "faiss.Index") -> Search:
        index.add(centres)

        def search(probe: Floats) -> Answer:
            similarities, positions = index.search(probe, 2)
            return positions[0].tolist(), similarities[0].tolist()

        return search

    return {**found, "FAISS flat float32": of(flat), "FAISS flat int8": of(small)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=300_000)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--probes", type=int, default=100)
    parser.add_argument("--exact", type=int, default=1000)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    centres = unit(rng.standard_normal((asked.people, asked.dimension), np.float32))
    begin = time.process_time()
    blocks = [block(centres, at) for at in range(0, asked.people, BLOCK)]
    groups = [Group(tuple(blocks[at : at + GROUP])) for at in range(0, len(blocks), GROUP)]
    matrix = Matrix.of_groups(groups)
    coded = sum(len(group.codes.scale) for group in matrix.groups)  # made here, outside of the times
    assert coded == asked.people
    print(f"{asked.people:,} x {asked.dimension}: made ready in {time.process_time() - begin:.1f} s")
    count = max(asked.probes, asked.exact)
    probes = rng.standard_normal((count, asked.dimension), np.float32)
    members = rng.integers(0, asked.people, len(probes[::2]))
    probes[::2] = centres[members] + np.float32(0.7 / asked.dimension**0.5) * probes[::2]
    probes = unit(probes)
    ways = searches(matrix)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for probe in probes[: asked.probes]:
        for name, search in ways.items():
            begin = time.process_time()
            search(probe[np.newaxis])
            times[name].append(time.process_time() - begin)
    plain = float(np.median(times["NumPy float32"]))
    for name, taken in times.items():
        middle = float(np.median(taken))
        print(f"{name:20} {1000 * middle:7.2f} ms a probe  {plain / middle:5.2f} x NumPy")
    same, equal, looked = (dict.fromkeys(ways, 0) for _ in range(3))
    left = 0
    for at in range(0, asked.exact, 100):
        few = probes[at : min(at + 100, asked.exact)]
        top = top_two(few @ centres.T)
        for k, probe in enumerate(few):
            wanted = [int(top.best[k]), int(top.runner_up[k])]
            similarities = [top.best_score[k], top.runner_up_score[k]]
            left += len(nearest_people(probe[np.newaxis], matrix, 2))
            for name, search in ways.items():
                if name != "multiface" and at + k >= asked.probes:
                    continue
                looked[name] += 1
                positions, mine = search(probe[np.newaxis])
                same[name] += positions == wanted
                equal[name] += positions == wanted and np.abs(np.subtract(mine, similarities)).max() < 1e-6
    for name, number in same.items():
        print(f"{name:20} same two people: {number:,} of {looked[name]:,}; and similarities: {equal[name]:,}")
    print(f"scored again: {left / max(1, asked.exact):.0f} people a probe")


if __name__ == "__main__":
    main()
