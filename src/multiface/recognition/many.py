"""Many pictures at once: decoded, searched and embedded by several threads, answered in order."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from multiface.errors import ExtraMissing, PictureError
from multiface.faces.analysis import Analyser, Analysis, Cut
from multiface.images import PictureSource, open_picture

BATCH = 4
"""Pictures whose faces are embedded together, once all workers are busy."""

Unusable = PictureError | ExtraMissing
"""Why a picture has no answer."""

Answer = tuple[Analysis, float | None] | Unusable
"""The faces of a picture and its `whole_share` (`images.Picture`), or why there are none."""


def analysed_in_order(
    analyser: Analyser, pictures: Iterable[PictureSource], workers: int
) -> Iterator[Answer]:
    """The faces of each picture, in order.

    workers: pictures that are decoded and searched at the same time. `BATCH` times one more than that are asked for
    ahead of the answer, and no more decoded ones are held than there are workers.
    """
    rest = iter(pictures)
    waiting: deque[Future[list[Answer]]] = deque()
    started = 0
    with ThreadPoolExecutor(workers, "multiface pictures") as pool:
        try:
            # A few pictures alone are to keep all workers busy too.
            while batch := list(islice(rest, 1 if started < 2 * workers else BATCH)):
                waiting.append(pool.submit(_analysed, analyser, batch))
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
