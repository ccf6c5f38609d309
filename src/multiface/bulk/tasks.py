"""Tasks as bytes, the jobs that do them, and doing them here.

What goes to a worker and comes back is bytes, so that the same goes through threads here and through a cluster.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from multiface.faces.analysis import Analyser
from multiface.faces.detector import Detector
from multiface.faces.opening import open_detector, open_embedder
from multiface.images.limits import PictureLimits, limit_pictures
from multiface.weights.session import Engine
from multiface.weights.store import Store


class Job(Hashable, Protocol):
    """A kind of work, with its settings: a value that can be hashed and sent to workers."""

    def open(self) -> Callable[[bytes], bytes]:
        """What does a task. Opens networks, which takes a second. Threads may share it."""
        ...


Workers = Callable[[Job, Sequence[bytes]], Iterator[bytes]]
"""Does all tasks of a job; the answers in the order of the tasks."""


@dataclass(frozen=True, slots=True)
class Networks:
    """Which networks a worker opens, and the limits on pictures. store, cache: folders of weights, on its machine."""

    detector: str
    min_face: float
    engine: str
    store: Path
    cache: Path
    limits: PictureLimits

    def open_detector(self) -> Detector:
        """Raises WeightsMissing, EngineMissing."""
        limit_pictures(self.limits)
        return open_detector(
            Store(self.store, self.cache), self.detector, Engine(self.engine, 1), self.min_face
        )

    def open_analyser(self, weights: str, flip: bool | None) -> Analyser:
        """With these weights; flip None leaves mirror images to them. Raises WeightsMissing, EngineMissing."""
        embedder = open_embedder(Store(self.store, self.cache), weights, Engine(self.engine, 1))
        return Analyser(self.open_detector(), embedder, embedder.flip if flip is None else flip)


def here(threads: int) -> Workers:
    """Workers that are threads of this process."""

    def work(job: Job, tasks: Sequence[bytes]) -> Iterator[bytes]:
        if not tasks:
            return
        do = job.open()
        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(tasks), 2 * threads):
                yield from pool.map(do, tasks[start : start + 2 * threads])

    return work
