"""`evaluate` and `calibrate`: how good, and which threshold for which error rate."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from multiface.cli import completions, options
from multiface.cli.console import Speaker
from multiface.cli.paths import require_page
from multiface.cli.settings import Settings
from multiface.errors import UsageError


def evaluate(
    sets: Annotated[
        list[Path],
        typer.Argument(
            help="LFW folders (NAME/NAME_0001.jpg and pairs.txt), IJB-B and IJB-C folders (meta, loose_crop), "
            ".bin packs, or folders of packs.",
            show_default=False,
        ),
    ],
    detector: options.Detector = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weights",
            help="Name, ONNX file or run; repeat it to compare (default: sface).",
            show_default=False,
            autocompletion=completions.embedders,
        ),
    ] = None,
    flip: Annotated[
        bool | None,
        typer.Option(
            "--flip/--no-flip",
            help="With mirror images (default: folders if it helps the weights, packs both ways).",
            show_default=False,
        ),
    ] = None,
    fars: Annotated[
        list[float] | None,
        typer.Option(
            "--far",
            help="False accept rate, such as 0.0001; repeatable. Refused where a set has too few pairs (default: 0.01 "
            "and 0.001, marked where too few).",
            show_default=False,
        ),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores", help="Folder for the score of every pair, as CSV files.", show_default=False
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--page", help="HTML file with the tables, ROC and DET.", show_default=False),
    ] = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    min_face: options.MinFace = None,
    _max_picture: options.MaxPicture = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Measure accuracy in ten folds and TAR at FAR, with intervals, and how weights differ; every pair counts."""
    from multiface.cli.evaluation import compared, evaluated, write_page, write_score_files
    from multiface.evaluate.report import (
        differences_table,
        groups_table,
        identification_table,
        to_document,
        to_table,
    )
    from multiface.json_text import document_of

    speaker = Speaker(as_json, quiet)
    if page is not None:
        require_page(page)
    settings = Settings.here()
    chosen = [
        options.choose(settings, detector, name, flip, threads, engine, min_face)
        for name in weights or (None,)
    ]
    wanted = tuple(sorted(set(fars or ()), reverse=True))
    done = list(evaluated(speaker, sets, chosen, flip, wanted))
    comparisons = compared(done)
    results = [one.result for one in done]
    speaker.result(to_table(results, [one.label for one in done]))
    if comparisons:
        speaker.result(differences_table(comparisons))
    document = to_document(results)
    for entry, one in zip(document["sets"], done, strict=True):
        entry.update(one.facts)
        if one.groups:
            entry["groups"] = [document_of(group) for group in one.groups]
            speaker.result(groups_table(one.result.name, one.name, one.groups))
        if one.identification:
            speaker.result(identification_table(one.result.name, one.name, one.identification))
    if comparisons:
        document["differences"] = [document_of(one) for one in comparisons]
    if scores is not None:
        document["scores"] = [str(path) for path in write_score_files(scores, done)]
    if page is not None:
        write_page(page, done, comparisons)
        document["page"] = str(page)
    speaker.document(document)


def calibrate(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="LFW, or any folder with a folder of pictures for each person.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File (default: NAME.json in your own calibrations).", show_default=False),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Name of the set and of the calibration (default: the folder's).",
            show_default=False,
        ),
    ] = None,
    use: Annotated[
        bool, typer.Option("--use", help="Use it from now on; without a folder, the one called --name.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Go back to the package's own.")] = False,
    alike_by: Annotated[
        str | None,
        typer.Option(
            "--alike-by",
            help="Weights that choose which people resemble each other (default: other installed weights).",
            show_default=False,
        ),
    ] = None,
    people: options.People = None,
    gallery: options.GalleryFile = None,
    detector: options.Detector = None,
    weights: options.Weights = None,
    flip: options.Flip = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    min_face: options.MinFace = None,
    _max_picture: options.MaxPicture = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Measure which threshold gives which error rate, for a detector, weights and choice of flips.

    A calibration is used only on request: with --use, or by its name in MULTIFACE_CALIBRATION.
    """
    from multiface.cli.calibrating import measure, say_undone, say_used

    speaker = Speaker(as_json, quiet)
    settings = Settings.here()
    chosen = options.choose(settings, detector, weights, flip, threads, engine, min_face)
    if undo:
        if folder is not None or use:
            raise UsageError("--undo goes without a folder and without --use")
        speaker.document(say_undone(speaker, chosen))
        return
    if folder is None:
        if not use or name is None:
            raise UsageError("calibrate needs a folder of pictures, or --use --name NAME, or --undo")
        speaker.document(say_used(speaker, chosen, name))
        return
    if out is not None:
        if use:
            raise UsageError("--use is for calibrations in the store", hint="leave out --out")
        _make_place(out)
    made = measure(speaker, chosen, folder, name, out, alike_by, people, gallery)
    document = made
    if use:
        document |= say_used(speaker, chosen, made["name"])
    elif out is None:
        speaker.result(
            f"not in force: `multiface calibrate --use --name {shlex.quote(made['name'])}` puts it in force"
        )
    speaker.document(document)


def _make_place(file: Path) -> None:
    """Make the folder of a file that will be written. Raises UsageError where there can be no such file."""
    if file.is_dir():
        raise UsageError(f"{file}: is a folder; wanted the name of a file", path=file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{file}: cannot be written ({error.strerror})", path=file) from error
