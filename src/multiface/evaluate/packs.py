"""Verification packs (`.bin`) measured: several packs, several weights side by side, plain and with flips.

Pictures of a pack are faces already aligned on the usual five points of a 112 x 112 crop, RGB; no detector is
asked. Pictures of another size are scaled to that first, and said so. Weights with another template or size
(dlib's 150 x 150) get the crop that their own template would have given: the five points of an aligned crop
are where the template has them, so the transform from one template to the other is known.

A picture that stands in a pack several times is embedded once.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from multiface.arrays import Doubles, Floats
from multiface.datasets.bin_pack import BinPack, read_bin
from multiface.datasets.pack_people import pack_people
from multiface.errors import DataSetError, PictureError
from multiface.evaluate.protocol import FARS, PairSet, SetResult, check_fars, evaluate_pairs, score_pairs
from multiface.faces.align import align
from multiface.faces.embedder import Embedder, normalised
from multiface.faces.face import Image
from multiface.faces.letterbox import resized
from multiface.images import load_picture
from multiface.progress import Progress
from multiface.weights.spec import ARCFACE_TEMPLATE, InputSpec

SIDE = 112
BATCH = 64
"""Pictures between two calls of the embedder."""


@dataclass(frozen=True, slots=True, eq=False)
class PackResult:
    """One embedder on one pack.

    weights, fingerprint: of the embedder. flip: whether mirror images were embedded too.
    resized: pictures of the pack that are not 112 x 112. recropped: whether the weights want another crop
    than the pack's, made as the head of this file says. scores: cosines of the pairs, float64 (n,).
    """

    weights: str
    fingerprint: str
    flip: bool
    resized: int
    recropped: bool
    result: SetResult
    pairs: PairSet
    scores: Doubles


@dataclass(frozen=True, slots=True, eq=False)
class PackEmbeddings:
    """Unit embeddings of the 2P pictures of a pack, float32 (2P, d), in its order.

    plain: of the pictures. mirrored: of their mirror images, None where they were not asked for.
    resized: pictures that are not 112 x 112.
    """

    plain: Floats
    mirrored: Floats | None
    resized: int

    def with_flip(self, flip: bool) -> Floats:
        """What `Embedder.embed` gives with and without flips."""
        if not flip:
            return self.plain
        assert self.mirrored is not None
        return normalised(self.plain + self.mirrored)


def evaluate_packs(
    paths: Sequence[Path],
    embedders: Sequence[Embedder],
    flips: Sequence[bool],
    workers: int,
    progress: Progress = lambda *_: None,
    fars: Sequence[float] = (),
) -> Iterator[PackResult]:
    """The results pack by pack, in each embedder by embedder, in each for the wanted flips; each pack is read
    once.

    The set is called after the file (`lfw.bin`: lfw). Its intervals resample people where a file beside the pack says
    who is who (`lfw.people`, see datasets.pack_people), else they take pairs as independent.
    fars: false accept rates that each set must support; FARS where none is given, which need not be supported.
    workers: batches that are embedded at the same time; networks opened with one thread each and as many
    workers as processors is the fastest. progress: called, for each pack and embedder anew, with pictures
    done and all pictures. Raises DataSetError where a pack is broken, holds a picture that cannot be decoded,
    or pairs of one kind only; UsageError for fewer than ten pairs; RateNotSupported for a FAR that a set has too few
    pairs for.
    """
    for path in paths:
        pack = read_bin(path)
        pairs = PairSet.from_pack(path.stem, pack.issame, pack_people(path, pack.issame))
        check_fars(pairs, fars)
        for embedder in embedders:
            embeddings = embed_pack(pack, str(path), embedder, any(flips), workers, progress)
            for flip in flips:
                scores = score_pairs(embeddings.with_flip(flip), pairs)
                yield PackResult(
                    weights=embedder.name,
                    fingerprint=embedder.fingerprint,
                    flip=flip,
                    resized=embeddings.resized,
                    recropped=_wants_another_crop(embedder.spec),
                    result=evaluate_pairs(scores, pairs, fars=fars or FARS),
                    pairs=pairs,
                    scores=scores,
                )


def embed_pack(
    pack: BinPack,
    name: str,
    embedder: Embedder,
    flip: bool,
    workers: int,
    progress: Progress = lambda *_: None,
) -> PackEmbeddings:
    """The embeddings of all pictures of a pack, also of their mirror images if `flip`.

    name: how errors call the pack. Raises DataSetError for a picture that cannot be decoded.
    """
    places, first = _distinct(pack)
    rows = np.empty((2, len(first), embedder.spec.dimension), np.float32)
    other_size = np.zeros(len(first), np.bool_)

    def embed(start: int) -> int:
        block = slice(start, start + BATCH)
        crops = []
        for row, place in enumerate(first[block], start):
            picture = _decoded(pack, place, name)
            other_size[row] = picture.shape[:2] != (SIDE, SIDE)
            crops.append(crop_for(embedder.spec, picture))
        pixels = np.stack(crops)
        rows[0, block] = embedder.embed(pixels, flip=False)
        if flip:
            rows[1, block] = embedder.embed(pixels[:, :, ::-1], flip=False)
        return len(crops)

    done = 0
    with ThreadPoolExecutor(workers) as pool:
        for count in pool.map(embed, range(0, len(first), BATCH)):
            done += count
            progress(done, len(first))
    return PackEmbeddings(rows[0][places], rows[1][places] if flip else None, int(other_size[places].sum()))


def crop_for(spec: InputSpec, picture: Image) -> Image:
    """What weights with this input spec are fed, (height, width, 3), of an aligned picture of a pack."""
    if picture.shape[:2] != (SIDE, SIDE):
        picture = resized(picture, SIDE, SIDE)
    if not _wants_another_crop(spec):
        return picture
    landmarks = np.array([ARCFACE_TEMPLATE], np.float32)
    crop: Image = align(picture, landmarks, spec.template, (spec.width, spec.height))[0]
    return crop


def _wants_another_crop(spec: InputSpec) -> bool:
    return (spec.width, spec.height, spec.template) != (SIDE, SIDE, ARCFACE_TEMPLATE)


def _distinct(pack: BinPack) -> tuple[npt.NDArray[np.int64], list[int]]:
    """int64 (2P,), the number of each picture among the different ones; where each of these stands first."""
    numbers: dict[bytes | int, int] = {}
    first: list[int] = []
    places = np.empty(len(pack.pictures), np.int64)
    for place, picture in enumerate(pack.pictures):
        key = picture if isinstance(picture, bytes) else place
        number = numbers.setdefault(key, len(first))
        if number == len(first):
            first.append(place)
        places[place] = number
    return places, first


def _decoded(pack: BinPack, place: int, name: str) -> Image:
    try:
        return load_picture(pack.pictures[place])
    except PictureError as error:
        raise DataSetError(f"{name}: picture {place}: {error}", name=name) from error
