"""Many pictures at once: decoded, searched and embedded by several threads, answered in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import TypeVar

from multiface.errors import ExtraMissing, PictureError
from multiface.faces.analysis import Analyser, Analysis, Cut
from multiface.images import PictureSource, open_picture

Thing = TypeVar("Thing")
Result = TypeVar("Result")

BATCH = 4
"""Pictures whose faces are embedded together, once all workers are busy."""

FEW = 32
"""Pictures that are not worth opening more networks for, which takes as long as some thirty faces."""

Unusable = PictureError | ExtraMissing
"""Why a picture has no answer."""

Answer = tuple[Analysis, float | None] | Unusable
"""The faces of a picture and its `whole_share` (`images.Picture`), or why there are none."""


def analysed_in_order(
    analyser: Analyser,
    side_by_side: Callable[[], Analyser],
    pictures: Iterable[PictureSource],
    workers: int,
) -> Iterator[Answer]:
    """The faces of each picture, in order; `side_by_side` and workers as in `worked_in_order`."""
    return worked_in_order(_analysed, analyser, side_by_side, pictures, workers)


def worked_in_order(
    work: Callable[[Analyser, list[Thing]], list[Result]],
    analyser: Analyser,
    side_by_side: Callable[[], Analyser],
    things: Iterable[Thing],
    workers: int,
) -> Iterator[Result]:
    """What `work` makes of pictures with an analyser, batch by batch, in order.

    The first `FEW` go to `analyser`, the others to what `side_by_side` opens, whose networks run on fewer threads each:
    workers that share the threads of one network wait for one another. workers: as in `_batches_in_order`.
    """
    rest = iter(things)
    yield from _batches_in_order(partial(work, analyser), islice(rest, FEW), workers)
    for more in rest:
        yield from _batches_in_order(partial(work, side_by_side()), chain((more,), rest), workers)


def _batches_in_order(
    work: Callable[[list[Thing]], list[Result]], things: Iterable[Thing], workers: int
) -> Iterator[Result]:
    """What `work` makes of pictures, batch by batch, in order.

    workers: batches that are worked on at the same time. `BATCH` times one more than that are asked for ahead of the
    answer, and no more decoded pictures are held than there are workers if `work` holds one at a time.
    """
    rest = iter(things)
    waiting: deque[Future[list[Result]]] = deque()
    started = 0
    with ThreadPoolExecutor(workers, "multiface pictures") as pool:
        try:
            # A few pictures alone are to keep all workers busy too.
            while batch := list(islice(rest, 1 if started < 2 * workers else BATCH)):
                waiting.append(pool.submit(work, batch))
                started += 1
                if len(waiting) > workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _analysed(analyser: Analyser, batch: list[PictureSource]) -> list[Answer]:
    cut = [_cut(analyser, picture) for picture in batch]
    analyses = iter(analyser.embed([one[0] for one in cut if isinstance(one, tuple)]))
    return [(next(analyses), one[1]) if isinstance(one, tuple) else one for one in cut]


def _cut(analyser: Analyser, source: PictureSource) -> tuple[Cut, float | None] | Unusable:
    try:
        picture = open_picture(source)
        return analyser.cut(picture.pixels), picture.whole_share
    except (PictureError, ExtraMissing) as error:
        return error
