"""Verification sets measured while training: packs (.bin) and LFW folders.

Crops are uint8 (n, 112, 112, 3) RGB. Pictures stay as files and are decoded anew at each measurement (a set
of 12,000 crops would take 450 MB). Those of an LFW folder are aligned once, by a function that is handed in:
finding faces is not this room's business.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from multiface.arrays import Pixels
from multiface.datasets.bin_pack import BinPack, read_bin
from multiface.datasets.lfw import LfwFolder
from multiface.datasets.pack_people import pack_people
from multiface.errors import DataSetError
from multiface.evaluate.protocol import PairSet, SetResult, evaluate_pairs, score_pairs
from multiface.regular_file import read_regular
from multiface.train.building import Network
from multiface.train.crops import decode_crops
from multiface.train.networks.unit import unit
from multiface.train.processes import Place
from multiface.train.step import to_input

BATCH = 128
REPLICATES = 200
"""Of the bootstrap behind the intervals; a validation comes often."""

Aligner = Callable[[Path], Path]
"""An LFW folder to a folder of its aligned crops: NAME/NAME_0001.jpg for NAME/NAME_0001.jpg (or .png)."""


class Crops(Protocol):
    """n aligned faces."""

    def __len__(self) -> int: ...

    def crops(self, start: int, stop: int) -> Pixels:
        """Those of numbers start..stop - 1, uint8 (stop - start, 112, 112, 3) RGB."""
        ...


@dataclass(frozen=True, slots=True)
class ValidationSet:
    """Pairs and the crops that they are of."""

    pairs: PairSet
    faces: Crops


@dataclass(frozen=True, slots=True, eq=False)
class Angles:
    """Angles between the two faces of pairs in degrees, 0..180: float64 (g,) and (i,)."""

    genuine: npt.NDArray[np.float64]
    impostor: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What a network reaches on a set. scores: cosines of the pairs, float64 (n,)."""

    result: SetResult
    scores: npt.NDArray[np.float64]
    angles: Angles


def open_validation_set(path: Path, align: Aligner | None) -> ValidationSet:
    """A pack of crops, or an LFW folder, which `align` makes crops of.

    Raises DataSetError where the set is broken, or is a folder and `align` is None.
    """
    if not path.is_dir():
        pack = read_bin(path)
        decode_crops(pack.pictures[:2], str(path))  # so that crops of another size are refused at the start
        pairs = PairSet.from_pack(path.stem, pack.issame, pack_people(path, pack.issame))
        return ValidationSet(pairs, _PackCrops(path, pack))
    folder = LfwFolder.open(path)
    if align is None:
        raise DataSetError(
            f"{path}: is a folder of photos, whose faces must be aligned first",
            path=path,
            hint="give a pack (.bin)",
        )
    pairs = PairSet.from_lfw(folder.pairs, path.resolve().name)
    crops = align(path)
    names = [file.relative_to(path).with_suffix(".jpg") for file in folder.paths]
    return ValidationSet(pairs, _FolderCrops(tuple(crops / name for name in names)))


def measure(network: Network, validation: ValidationSet, colour: str, flip: bool, place: Place) -> Measured:
    """Embeds all faces, each process its share, and scores the pairs. The network is in evaluation mode
    meanwhile.
    """
    was_training = [module.training for module in network.modules()]
    network.eval()
    try:
        embeddings = _embeddings(network, validation.faces, colour, flip, place)
    finally:
        for module, training in zip(network.modules(), was_training, strict=True):
            module.training = training
    scores = score_pairs(embeddings, validation.pairs)
    result = evaluate_pairs(scores, validation.pairs, replicates=REPLICATES)
    degrees = np.degrees(np.arccos(np.clip(scores, -1, 1)))
    same = validation.pairs.issame
    return Measured(result, scores, Angles(degrees[same], degrees[~same]))


@torch.no_grad()
def embed_crops(
    network: Network, crops: Pixels, colour: str, flip: bool, device: torch.device
) -> torch.Tensor:
    """Unit embeddings float32 (n, D) of uint8 (n, 112, 112, 3) RGB, by a network as it is."""
    pictures = to_input(torch.from_numpy(np.array(crops)), device, colour, False)
    # In double precision: early in a run, with means and variances of few batches, features can be so large that the
    # squares of float32 are infinite.
    embedding = unit(network.features(pictures).double())
    if flip:
        embedding = unit(embedding + unit(network.features(pictures.flip(3)).double()))
    return embedding.float()


def _embeddings(
    network: Network, faces: Crops, colour: str, flip: bool, place: Place
) -> npt.NDArray[np.float32]:
    embeddings = torch.zeros(len(faces), network.embedding_size, device=place.device)
    starts = range(place.rank * BATCH, len(faces), place.processes * BATCH)
    with ThreadPoolExecutor(1) as pool:
        # The next crops are decoded while these are embedded.
        waiting = [pool.submit(faces.crops, start, min(start + BATCH, len(faces))) for start in starts[:1]]
        for number, start in enumerate(starts):
            crops = waiting.pop().result()
            for later in starts[number + 1 : number + 2]:
                waiting.append(pool.submit(faces.crops, later, min(later + BATCH, len(faces))))
            embeddings[start : start + len(crops)] = embed_crops(network, crops, colour, flip, place.device)
    if place.group is not None:
        dist.all_reduce(embeddings, dist.ReduceOp.SUM, place.group)
    found: npt.NDArray[np.float32] = embeddings.cpu().numpy()
    return found


@dataclass(frozen=True, slots=True)
class _PackCrops:
    path: Path
    pack: BinPack

    def __len__(self) -> int:
        return len(self.pack.pictures)

    def crops(self, start: int, stop: int) -> Pixels:
        return decode_crops(self.pack.pictures[start:stop], f"{self.path}, pictures from {start} on")


@dataclass(frozen=True, slots=True)
class _FolderCrops:
    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def crops(self, start: int, stop: int) -> Pixels:
        paths = self.paths[start:stop]
        try:
            files = [read_regular(path) for path in paths]
        except OSError as error:
            raise DataSetError(
                f"{error.filename}: the crop cannot be read ({error.strerror})", path=error.filename
            ) from error
        return decode_crops(files, f"{paths[0]} and those behind it")
