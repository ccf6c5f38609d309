"""What `evaluate` measures: folders and packs, several weights side by side."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from multiface.arrays import Doubles
from multiface.atomic_write import write_whole
from multiface.cli.console import Speaker
from multiface.cli.options import Chosen
from multiface.datasets.ijb import IjbFolder
from multiface.datasets.lfw import PAIRS_FILE, LfwFolder
from multiface.errors import DataSetError, InputError
from multiface.evaluate.comparison import Comparison, compare
from multiface.evaluate.evaluation_page import Measured, evaluation_page
from multiface.evaluate.ijb import Identification, embed_faces, identify_in, pool_templates, template_pairs
from multiface.evaluate.measure import Portraits, embed_portraits
from multiface.evaluate.packs import evaluate_packs
from multiface.evaluate.protocol import FARS, PairSet, SetResult, check_fars, evaluate_pairs, score_pairs
from multiface.evaluate.published import SETS, published_for
from multiface.evaluate.report import Label
from multiface.evaluate.score_file import write_scores
from multiface.evaluate.subgroups import ENDING, GroupRates, by_group, read_groups
from multiface.faces.embedder import Embedder
from multiface.faces.opening import open_detector, open_embedder
from multiface.file_name import file_name
from multiface.json_text import document_of
from multiface.weights.session import Engine

MANY_PAIRS = 200_000
"""From so many on, intervals are of fewer replicates."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """One embedder on one set: the figures, what stands beside them in the table, what else is known; the pairs and
    their cosines, float64 (n,); the rates of groups where a file says who belongs to which.
    """

    result: SetResult
    label: Label
    facts: dict[str, Any]
    pairs: PairSet
    scores: Doubles
    groups: tuple[GroupRates, ...] = ()
    identification: tuple[Identification, ...] = ()

    @property
    def name(self) -> str:
        """Of weights and choice of flips."""
        return self.label.weights + (" with flips" if self.label.flip else "")


def evaluated(
    speaker: Speaker,
    sets: Sequence[Path],
    chosen: Sequence[Chosen],
    flip: bool | None,
    fars: Sequence[float] = (),
) -> Iterator[Evaluated]:
    """All figures, set by set. flip: None for packs with and without. fars: that each set must support; the usual ones,
    supported or not, where none is given. Raises DataSetError, WeightsMissing, RateNotSupported.
    """
    for path in sets:
        if (path / PAIRS_FILE).is_file():
            for choice in chosen:
                yield _folder(speaker, path, choice, fars)
        elif IjbFolder.is_one(path):
            for choice in chosen:
                yield _ijb(speaker, path, choice, fars)
        else:
            flips = [False, True] if flip is None else [flip]
            yield from _packs(speaker, _packs_of(path), chosen, flips, fars)


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


def _folder(speaker: Speaker, root: Path, chosen: Chosen, fars: Sequence[float]) -> Evaluated:
    folder = LfwFolder.open(root)
    pairs = PairSet.from_lfw(folder.pairs, root.resolve().name)
    check_fars(pairs, fars)
    groups = read_groups(root / f"pairs{ENDING}", len(pairs))
    start = time.monotonic()
    portraits, embedder = portraits_of(speaker, chosen, folder.paths)
    seconds = time.monotonic() - start
    flip = chosen.flips(embedder.flip)
    scores = score_pairs(portraits.embeddings, pairs)
    result = evaluate_pairs(scores, pairs, fars=fars or FARS)
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
    label = _label(embedder.name, flip, result.name)
    return Evaluated(result, label, facts, pairs, scores, _groups(pairs, scores, groups, result))


def _ijb(speaker: Speaker, root: Path, chosen: Chosen, fars: Sequence[float]) -> Evaluated:
    folder = IjbFolder.open(root)
    pairs = template_pairs(folder, np.unique(folder.template))
    check_fars(pairs, fars)
    embedder = open_embedder(chosen.files(), chosen.weights, Engine(chosen.engine, 1))
    flip = chosen.flips(embedder.flip)
    with speaker.progress("faces") as progress:
        embeddings = embed_faces(folder, embedder, flip, chosen.engine_value().thread_count, progress)
    names, vectors = pool_templates(embeddings, folder.template, folder.media)
    scores = score_pairs(vectors, pairs)
    replicates = 1000 if len(pairs) < MANY_PAIRS else 100
    result = evaluate_pairs(scores, pairs, fars=fars or FARS, replicates=replicates)
    found = identify_in(folder, names, vectors)
    facts = {
        "faces": len(folder.paths),
        "templates": len(names),
        "identification": [document_of(one) for one in found],
        **_facts(embedder.name, embedder.fingerprint, flip),
    }
    label = _label(embedder.name, flip, result.name)
    return Evaluated(result, label, facts, pairs, scores, (), found)


def _packs(
    speaker: Speaker,
    packs: Sequence[Path],
    chosen: Sequence[Chosen],
    flips: Sequence[bool],
    fars: Sequence[float],
) -> Iterator[Evaluated]:
    embedders = [open_embedder(choice.files(), choice.weights, Engine(choice.engine, 1)) for choice in chosen]
    with speaker.progress("pictures") as progress:
        threads = chosen[0].engine_value().thread_count
        files = {path.stem: path.with_suffix(ENDING) for path in packs}
        for one in evaluate_packs(packs, embedders, flips, threads, progress, fars):
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
            groups = read_groups(files[one.result.name], len(one.pairs))
            rates = _groups(one.pairs, one.scores, groups, one.result)
            label = _label(one.weights, one.flip, one.result.name)
            yield Evaluated(one.result, label, facts, one.pairs, one.scores, rates)


def _groups(
    pairs: PairSet, scores: Doubles, groups: Sequence[tuple[str, str]] | None, result: SetResult
) -> tuple[GroupRates, ...]:
    """At the smallest FAR that the set supports, or the largest that was asked for."""
    if groups is None:
        return ()
    fars = [rate.far for rate in result.tar_at_far]
    supported = [rate.far for rate in result.tar_at_far if rate.supported]
    return by_group(pairs, scores, groups, min(supported, default=max(fars)))


def _packs_of(path: Path) -> list[Path]:
    """The pack itself, or the packs in a folder in the order in which the field lists them."""
    if not path.exists():
        raise DataSetError(
            f"{path}: there is no such file or folder",
            hint="name an LFW or IJB folder, or a .bin pack",
            path=path,
        )
    if not path.is_dir():
        return [path]
    place = {name: number for number, name in enumerate(SETS)}
    packs = sorted(path.glob("*.bin"), key=lambda pack: (place.get(pack.stem, len(SETS)), pack.stem))
    if not packs:
        raise DataSetError(
            f"{path}: neither {PAIRS_FILE} nor a .bin pack is in it, so there is nothing to measure",
            path=path,
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


def compared(done: Sequence[Evaluated]) -> tuple[Comparison, ...]:
    """Every other weights, or choice of flips, against the first of each set; none where there is one only."""
    found = []
    for name in dict.fromkeys(one.result.name for one in done):
        first, *others = [one for one in done if one.result.name == name]
        fars = [rate.far for rate in first.result.tar_at_far]
        for other in others:
            differences = compare(first.pairs, other.scores, first.scores, fars)
            found.append(Comparison(name, other.name, first.name, differences))
    return tuple(found)


def write_score_files(folder: Path, done: Sequence[Evaluated]) -> Iterator[Path]:
    """A file for each set and embedder; their paths. Raises InputError."""
    for one in done:
        # The name of weights may be a path.
        name = f"{one.result.name} {one.name}".replace("/", "_").replace("\\", "_").replace(" ", "-")
        path = folder / f"{file_name(name, 'the set and the weights')}.csv"
        write_scores(path, one.pairs, one.scores)
        yield path


def write_page(path: Path, done: Sequence[Evaluated], comparisons: Sequence[Comparison]) -> None:
    """The page of an evaluation. Raises InputError where it cannot be written."""
    measured = [Measured(one.name, one.result, one.pairs, one.scores, one.groups) for one in done]
    try:
        write_whole(path, evaluation_page(measured, comparisons))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})", path=path) from error
