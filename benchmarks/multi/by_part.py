"""The differences of an experiment on the parts of `wide.bin` alone, each with a threshold of its own.

python benchmarks/multi/by_part.py benchmarks/multi/tuned.toml tuned wide.bin
"""

import argparse
from pathlib import Path

import numpy as np

from multiface.datasets.bin_pack import read_bin
from multiface.datasets.pack_people import pack_people
from multiface.metrics.folds import fold_accuracy, squared_distances
from multiface.metrics.paired import paired_difference
from multiface.train.experiment.one_run import read_scores
from multiface.train.experiment.plan import load_experiment
from multiface.train.experiment.running import chosen_before, results

FOLDS = 10


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("experiment", "out", "pack"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    experiment = load_experiment(given.experiment)
    chosen = chosen_before(experiment, given.out)
    assert chosen is not None, "nothing is judged yet"
    issame = read_bin(given.pack).issame
    people = pack_people(given.pack, issame)
    assert people is not None
    names = given.pack.with_suffix(".people").read_text().splitlines()[::2]
    fold = np.arange(len(issame)) * FOLDS // len(issame)
    scores = {
        (result.run.arm, result.run.seed): np.clip(read_scores(given.out / name)[0], -1, 1)
        for name, result in results(experiment, given.out, chosen).items()
    }
    for part in dict.fromkeys(name.split()[0] for name in names):
        here = np.array([name.startswith(part) for name in names])
        left, right = people[::2][here], people[1::2][here]
        right_of = {
            run: fold_accuracy(squared_distances(values[here]), issame[here], fold[here]).correct
            for run, values in scores.items()
        }
        print(f"{part}: {here.sum()} pairs")
        for arm in experiment.arms:
            mine = [run for run in right_of if run[0] == arm.name]
            print(
                f"  {arm.name}: {100 * np.mean([right_of[run].mean() for run in mine]):.2f} in {len(mine)} runs"
            )
            both = [run for run in mine if (experiment.against, run[1]) in right_of]
            if arm.name != experiment.against and both:
                rows = [
                    np.stack([right_of[run] for run in both]),
                    np.stack([right_of[experiment.against, seed] for _, seed in both]),
                ]
                found = paired_difference(*rows, left, right, replicates=200)
                low, high = 100 * found.interval.low, 100 * found.interval.high
                print(
                    f"    less {experiment.against}: {100 * found.difference:+.2f} [{low:+.2f}, {high:+.2f}], "
                    f"detectable {100 * found.detectable:.2f}"
                )


if __name__ == "__main__":
    main()
