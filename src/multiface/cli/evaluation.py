"""What `evaluate` measures: folders and packs, several weights side by side."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multiface.cli.console import Speaker
from multiface.cli.options import Chosen
from multiface.datasets.lfw import PAIRS_FILE, LfwFolder
from multiface.errors import DataSetError
from multiface.evaluate.measure import Portraits, embed_portraits
from multiface.evaluate.packs import evaluate_packs
from multiface.evaluate.protocol import PairSet, SetResult, evaluate_pairs, score_pairs
from multiface.evaluate.published import SETS, published_for
from multiface.evaluate.report import Label
from multiface.faces.embedder import Embedder
from multiface.faces.opening import open_detector, open_embedder
from multiface.weights.session import Engine


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One embedder on one set: the figures, what stands beside them in the table, and what else is known."""

    result: SetResult
    label: Label
    facts: dict[str, Any]


def evaluated(
    speaker: Speaker, sets: Sequence[Path], chosen: Sequence[Chosen], flip: bool | None
) -> Iterator[Evaluated]:
    """All figures, set by set. flip: None for packs with and without. Raises DataSetError, WeightsMissing."""
    for path in sets:
        if (path / PAIRS_FILE).is_file():
            for choice in chosen:
                yield _folder(speaker, path, choice)
        else:
            flips = [False, True] if flip is None else [flip]
            yield from _packs(speaker, _packs_of(path), chosen, flips)


def portraits_of(
    speaker: Speaker, chosen: Chosen, paths: Sequence[Path], strict: bool = True
) -> tuple[Portraits, Embedder]:
    """Embeddings of portraits: as many workers as the thread budget, each with networks of one thread.

    strict: as in `embed_portraits`.
    """
    files, single = chosen.files(), Engine(chosen.engine, 1)
    detector = open_detector(files, chosen.detector, single, chosen.min_face)
    embedder = open_embedder(files, chosen.weights, single)
    workers = chosen.engine_value().thread_count
    flip = chosen.flips(embedder.flip)
    with speaker.progress("pictures") as progress:
        portraits = embed_portraits(paths, detector, embedder, flip, workers, progress, strict)
    return portraits, embedder


def _folder(speaker: Speaker, root: Path, chosen: Chosen) -> Evaluated:
    folder = LfwFolder.open(root)
    start = time.monotonic()
    portraits, embedder = portraits_of(speaker, chosen, folder.paths)
    seconds = time.monotonic() - start
    pairs = PairSet.from_lfw(folder.pairs, root.resolve().name)
    flip = chosen.flips(embedder.flip)
    result = evaluate_pairs(score_pairs(portraits.embeddings, pairs), pairs)
    without = [str(folder.paths[k].relative_to(root)) for k in portraits.without_face]
    listed = ": " + ", ".join(without) if without else ""
    speaker.note(
        f"{root}: {len(folder.paths):,} pictures in {seconds:.0f} s; in {len(without)} no face was found and "
        f"the middle was used{listed}"
    )
    facts = {
        "pictures": len(folder.paths),
        "seconds": round(seconds, 1),
        "without_face": without,
        "second_looks": [str(folder.paths[k].relative_to(root)) for k in portraits.second_looks],
        "detector": chosen.detector,
        **_facts(embedder.name, embedder.fingerprint, flip),
    }
    return Evaluated(result, _label(embedder.name, flip, result.name), facts)


def _packs(
    speaker: Speaker, packs: Sequence[Path], chosen: Sequence[Chosen], flips: Sequence[bool]
) -> Iterator[Evaluated]:
    embedders = [open_embedder(choice.files(), choice.weights, Engine(choice.engine, 1)) for choice in chosen]
    with speaker.progress("pictures") as progress:
        for one in evaluate_packs(packs, embedders, flips, chosen[0].engine_value().thread_count, progress):
            if one.resized:
                speaker.warn(f"{one.result.name}: {one.resized} pictures were not 112x112 and were scaled")
            if one.recropped:
                speaker.warn(
                    f"{one.result.name}: {one.weights} wants another crop than the pack holds; it was made "
                    f"from the pack's, which costs accuracy"
                )
            facts = {
                "resized": one.resized,
                "recropped": one.recropped,
                **_facts(one.weights, one.fingerprint, one.flip),
            }
            yield Evaluated(one.result, _label(one.weights, one.flip, one.result.name), facts)


def _packs_of(path: Path) -> list[Path]:
    """The pack itself, or the packs in a folder in the order in which the field lists them."""
    if not path.exists():
        raise DataSetError(f"{path}: there is no such file or folder; name an LFW folder or a .bin pack")
    if not path.is_dir():
        return [path]
    place = {name: number for number, name in enumerate(SETS)}
    packs = sorted(path.glob("*.bin"), key=lambda pack: (place.get(pack.stem, len(SETS)), pack.stem))
    if not packs:
        raise DataSetError(
            f"{path}: neither {PAIRS_FILE} nor a .bin pack is in it, so there is nothing to measure"
        )
    return packs


def _label(weights: str, flip: bool, name: str) -> Label:
    known = published_for(weights)
    return Label(weights, flip, None if known is None else known.accuracy.get(name))


def _facts(weights: str, fingerprint: str, flip: bool) -> dict[str, Any]:
    known = published_for(weights)
    return {
        "weights": weights,
        "fingerprint": fingerprint,
        "flip": flip,
        "published": None if known is None else {"accuracy": dict(known.accuracy), "source": known.source},
    }
