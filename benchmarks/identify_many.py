"""`Recognizer.identify_many` against a loop of `identify`, over the same pictures in the same process.

    python benchmarks/identify_many.py PEOPLE FOLDER [COUNT]

PEOPLE is a folder of people; the pictures are the first COUNT (1,000) of FOLDER, by path. Both run in turns. Printed
are seconds and processor seconds of each turn, the ratio of the two, its median and its range, and the growth of the
peak memory from a fifth of the pictures to all of them. The names must be the same.
"""

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from multiface import Identification, Recognizer
from multiface.images.listing import list_pictures

TURNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("people", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    arguments = parser.parse_args()
    pictures = list_pictures(arguments.folder).pictures[: arguments.count]
    with Recognizer(people=arguments.people) as recognizer:
        names(recognizer.identify_many(pictures[: len(pictures) // 5]))
        early = peak()
        ratios = []
        for _ in range(TURNS):
            loop, wanted = timed(lambda: names(recognizer.identify(one) for one in pictures))
            many, found = timed(lambda: names(recognizer.identify_many(pictures)))
            assert found == wanted
            ratios.append(loop[0] / many[0])
            print(
                f"loop {loop[0]:.1f} s ({loop[1]:.1f} s of processor), identify_many {many[0]:.1f} s "
                f"({many[1]:.1f} s): {ratios[-1]:.2f} times",
                flush=True,
            )
    faces = sum(map(len, wanted))
    print(
        f"{len(pictures)} pictures, {faces} faces: {statistics.median(ratios):.2f} times "
        f"({min(ratios):.2f} to {max(ratios):.2f}); peak memory {early:.0f} MB, then {peak():.0f} MB"
    )


def names(answers: object) -> list[list[str | None]]:
    found = []
    for answer in answers:  # type: ignore[attr-defined]
        assert isinstance(answer, Identification)
        found.append([face.name for face in answer.faces])
    return found


def timed(work: Callable[[], list[list[str | None]]]) -> tuple[tuple[float, float], list[list[str | None]]]:
    start, before = time.perf_counter(), os.times()
    answer = work()
    after = os.times()
    seconds = time.perf_counter() - start
    return (seconds, after.user + after.system - before.user - before.system), answer


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
