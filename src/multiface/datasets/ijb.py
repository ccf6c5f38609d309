"""IJB-B and IJB-C in the layout in which the field hands them round (insightface, `recognition/_evaluation_/ijb`).

    ROOT/loose_crop/1.jpg                     a picture with one face, cut loosely
    ROOT/meta/ijbb_name_5pts_score.txt        name, ten numbers (five points x, y in pixels), detector's score
    ROOT/meta/ijbb_face_tid_mid.txt           name, template, medium (a video's frames share one)
    ROOT/meta/ijbb_template_pair_label.txt    template, template, 1 for the same person
    ROOT/meta/ijbb_1N_gallery_S1.csv, _S2.csv heads, then TEMPLATE_ID, SUBJECT_ID, ...; G1 and G2 for ijbc
    ROOT/meta/ijbb_1N_probe_mixed.csv         the same

The first two have a line a face, in the same order. The 1:N files may be missing. A template is a set of pictures of
one person. Sources: Whitelam et al. 2017, "IARPA Janus Benchmark-B face dataset"; Maze et al. 2018, "IARPA Janus
Benchmark-C".
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from multiface.arrays import Bools, Floats, Ints
from multiface.errors import DataSetError
from multiface.file_name import is_file_name
from multiface.regular_file import read_regular_text

PICTURES, META = "loose_crop", "meta"
_GALLERIES = {"ijbb": ("S1", "S2"), "ijbc": ("G1", "G2")}


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """Templates with their persons: int64 (t,) each, a template once."""

    template: Ints
    subject: Ints


@dataclass(frozen=True, slots=True, eq=False)
class IjbFolder:
    """name: ijbb or ijbc. paths: of n faces. landmarks: float32 (n, 5, 2), pixels. template, media: int64 (n,), of each
    face. left, right: int64 (p,), templates of the 1:1 pairs; issame: bool (p,). galleries: of the 1:N protocol, by
    their names (S1, G2), and probes; none where the folder has them not.
    """

    name: str
    paths: tuple[Path, ...]
    landmarks: Floats
    template: Ints
    media: Ints
    left: Ints
    right: Ints
    issame: Bools
    galleries: tuple[tuple[str, Templates], ...]
    probes: Templates | None

    @staticmethod
    def is_one(root: Path) -> bool:
        """Whether a folder looks like one of these."""
        return any((root / META / f"{name}_template_pair_label.txt").is_file() for name in _GALLERIES)

    @staticmethod
    def open(root: Path) -> "IjbFolder":
        """Reads the lists; pictures are not opened. Raises DataSetError for what is missing or contradicts itself."""
        meta = root / META
        found = [name for name in _GALLERIES if (meta / f"{name}_template_pair_label.txt").is_file()]
        if not found:
            raise DataSetError(
                f"{root}: holds no {META}/ijbb_template_pair_label.txt, nor one of ijbc", path=root
            )
        name = found[0]
        points_file, media_file = meta / f"{name}_name_5pts_score.txt", meta / f"{name}_face_tid_mid.txt"
        points, media = _lines(points_file, 12), _lines(media_file, 3)
        if [line[0] for line in points] != [line[0] for line in media]:
            raise DataSetError(
                f"{media_file}: lists other faces, or in another order, than {points_file.name}", path=meta
            )
        if not points:
            raise DataSetError(f"{points_file}: lists no faces", path=points_file)
        bad = next((line[0] for line in points if not is_file_name(line[0])), None)
        if bad is not None:
            raise DataSetError(
                f"{points_file}: {bad!a} cannot be the name of a picture in {PICTURES}", path=points_file
            )
        of = _numbers(media_file, [line[1:] for line in media]).astype(np.int64)
        pair_file = meta / f"{name}_template_pair_label.txt"
        pairs = _numbers(pair_file, _lines(pair_file, 3)).astype(np.int64)
        known = np.unique(of[:, 0])
        if not len(pairs) or not np.isin(pairs[:, :2], known).all() or not np.isin(pairs[:, 2], (0, 1)).all():
            raise DataSetError(
                f"{pair_file}: wanted pairs of templates that have faces, and 0 or 1", path=pair_file
            )
        galleries = tuple(
            (one, _templates(meta / f"{name}_1N_gallery_{one}.csv", known))
            for one in _GALLERIES[name]
            if (meta / f"{name}_1N_gallery_{one}.csv").is_file()
        )
        probes = meta / f"{name}_1N_probe_mixed.csv"
        return IjbFolder(
            name=name,
            paths=tuple(root / PICTURES / line[0] for line in points),
            landmarks=_numbers(points_file, [line[1:11] for line in points])
            .astype(np.float32)
            .reshape(-1, 5, 2),
            template=of[:, 0],
            media=of[:, 1],
            left=pairs[:, 0],
            right=pairs[:, 1],
            issame=pairs[:, 2] == 1,
            galleries=galleries,
            probes=_templates(probes, known) if probes.is_file() else None,
        )


def _lines(path: Path, words: int) -> list[list[str]]:
    try:
        lines = [line.split() for line in read_regular_text(path).splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise DataSetError(f"{path}: cannot be read ({error}): the protocol needs it", path=path) from error
    for number, line in enumerate(lines, 1):
        if len(line) != words:
            raise DataSetError(f"{path}: line {number} has {len(line)} words, wanted {words}", path=path)
    return lines


def _numbers(path: Path, rows: list[list[str]]) -> npt.NDArray[np.float64]:
    try:
        numbers = np.array(rows, np.float64).reshape(len(rows), -1)
    except ValueError as error:
        raise DataSetError(f"{path}: holds something that is not a number ({error})", path=path) from error
    if not np.isfinite(numbers).all():
        raise DataSetError(f"{path}: holds numbers that are not finite", path=path)
    return numbers


def _templates(path: Path, known: Ints) -> Templates:
    """A 1:N list has a line a picture; a template has one subject. Templates without faces are refused."""
    try:
        rows = [line.split(",")[:2] for line in read_regular_text(path).splitlines()[1:] if line.strip()]
    except (OSError, ValueError) as error:
        raise DataSetError(f"{path}: cannot be read ({error})", path=path) from error
    numbers = _numbers(path, rows).astype(np.int64)
    both = np.unique(numbers, axis=0) if len(numbers) else np.empty((0, 2), np.int64)
    if not len(both) or both.shape[1] != 2 or len(np.unique(both[:, 0])) != len(both):
        raise DataSetError(f"{path}: wanted templates with one subject each", path=path)
    if not np.isin(both[:, 0], known).all():
        raise DataSetError(f"{path}: has templates without a face in the lists", path=path)
    return Templates(both[:, 0], both[:, 1])
