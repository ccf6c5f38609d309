"""Photos to crops, a task for some photos at a time; `evaluate.photos` writes them."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from multiface.bulk.tasks import Networks, Workers
from multiface.evaluate.photos import Verdict, Verdicts, clear_verdict

_PHOTOS = 16
"""Photos of a task."""


@dataclass(frozen=True, slots=True)
class AligningJob:
    """Paths of photos in, what became of each out."""

    networks: Networks

    def open(self) -> Callable[[bytes], bytes]:
        """Raises WeightsMissing, EngineMissing."""
        detector = self.networks.open_detector()

        def do(task: bytes) -> bytes:
            paths = msgspec.msgpack.decode(task, type=list[bytes])
            return msgspec.msgpack.encode(
                [clear_verdict(Path(os.fsdecode(path)), detector) for path in paths]
            )

        return do


def verdicts_of(networks: Networks, workers: Workers) -> Verdicts:
    """What `prepare_photos` takes: the verdicts on photos, worked out by these workers."""

    def verdicts(paths: Sequence[Path]) -> Iterator[Verdict]:
        tasks = [
            msgspec.msgpack.encode([os.fsencode(path.absolute()) for path in paths[start : start + _PHOTOS]])
            for start in range(0, len(paths), _PHOTOS)
        ]
        for answer in workers(AligningJob(networks), tasks):
            yield from msgspec.msgpack.decode(answer, type=list[Verdict])

    return verdicts
