"""`identify`, `verify`, `detect`, `align`, `embed`: pictures in, answers out."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiface.cli import completions, options
from multiface.cli.bulk import embed_many
from multiface.cli.console import Speaker, counted
from multiface.cli.gallery_place import people_folder_of
from multiface.cli.paths import (
    annotated_copies,
    crop_files,
    picture_paths,
    pictures_and_objects,
    refuse_inputs,
    require_folder,
)
from multiface.cli.settings import Settings
from multiface.cli.with_people import opened_recognizer
from multiface.errors import ExtraMissing, PictureError, UsageError

if TYPE_CHECKING:
    from multiface.recognition import Identification, Verification


def identify(
    pictures: options.Pictures,
    people: options.People = None,
    gallery: options.GalleryFile = None,
    rate: options.IdentifyRate = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Annotated copy: a .png or .jpg file, or a folder.", show_default=False),
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", help="Table: one row for each face.", show_default=False)
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--page", help="HTML page: the pictures with boxes and names.", show_default=False),
    ] = None,
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
    """Say who is in pictures; strangers are "unknown" at a stated error rate.

    --people needs no database: the vectors of the folder are cached, and only new pictures are embedded.
    """
    from multiface.cli.identify_files import IdentifyFiles
    from multiface.recognition import Identification
    from multiface.recognition.documents import identification_document

    speaker = Speaker(as_json, quiet)
    settings = Settings.here()
    chosen = options.choose(settings, detector, weights, flip, threads, engine, min_face)
    folder = people_folder_of(settings, people, gallery)
    paths = picture_paths(speaker, pictures)
    files = IdentifyFiles(paths, out, table, page, folder)
    with (
        opened_recognizer(speaker, settings, chosen, people=people, gallery=gallery, rate=rate) as recognizer,
        files.opened(recognizer.caveat),
        closing(recognizer.identify_many(paths)) as answers,
    ):

        def one(path: Path) -> dict[str, Any]:
            result = next(answers)
            if not isinstance(result, Identification):
                raise result
            _say_identification(speaker, path, result)
            _say_damage(speaker, path, result.whole_share)
            document = identification_document(path, result)
            files.add(path, result, document)
            return document

        documents, failed = each_picture(speaker, paths, one, files.add_failed)
    for file in files.written:
        speaker.note(file)
    speaker.document({"caveat": recognizer.caveat, "pictures": documents})
    end(failed)


def verify(
    a: Annotated[Path, typer.Argument(help="A picture.", show_default=False)],
    b: Annotated[Path, typer.Argument(help="Another picture.", show_default=False)],
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            help="Share of pairs of different people accepted as one person (FMR); also "
            "MULTIFACE_RATE (default: 0.001).",
            show_default=False,
        ),
    ] = None,
    face: Annotated[
        list[int] | None,
        typer.Option(
            "--face",
            min=1,
            help="Number of the face to compare where a picture has several, as `detect` lists them; twice: in "
            "A and in B (default: the clearly largest).",
            show_default=False,
        ),
    ] = None,
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
    """Say whether two pictures show the same person (exit code 0: yes, 1: no, 3: too poor to tell)."""
    from multiface.recognition import VERIFY_RATE
    from multiface.recognition.documents import verification_document
    from multiface.recognition.wording import interval_words

    speaker = Speaker(as_json, quiet)
    settings = Settings.here()
    chosen = options.choose(settings, detector, weights, flip, threads, engine, min_face)
    with chosen.recognizer() as recognizer:
        result = recognizer.verify(a, b, settings.number("rate", rate, VERIFY_RATE), face or ())
    speaker.answer = (0 if result.same else 1) if result.decided else 3
    relation = ">=" if result.similarity >= result.threshold else "<"
    answer = "the same person" if result.same else "not the same person"
    if not result.decided:
        poor = [str(path) for path, look in ((a, result.first), (b, result.second)) if look.fault]
        answer = f"unknown, too poor for this rate: {' and '.join(poor)}"
    speaker.result(
        f"{answer}: similarity {result.similarity:.4f} {relation} threshold {result.threshold:.4f} "
        f"(false-match rate {result.false_match_rate:g}{interval_words(result.detail.interval)})"
    )
    if result.decided:
        _say_shares(speaker, result)
    if result.detail.extrapolated:
        speaker.warn("this rate is beyond what the set can show: the threshold is extrapolated")
    for path, look in ((a, result.first), (b, result.second)):
        if look.faces > 1:
            why = "" if face else ", clearly the largest; --face N takes another"
            speaker.note(f"{path}: compared face {look.face} of {look.faces}{why}")
        if how := _how_found(look.turn, look.bordered):
            speaker.note(f"{path}: the face was {how}")
        if look.fault:
            speaker.warn(f"{path}: picture too poor ({look.fault})")
        _say_damage(speaker, path, look.whole_share)
    if result.caveat:
        speaker.warn(result.caveat)
    speaker.document(verification_document(a, b, result))
    raise typer.Exit(speaker.answer)


def _say_shares(speaker: Speaker, result: "Verification") -> None:
    """How often this similarity, or more, occurs between two people."""
    speaker.result(
        f"among people at large, the share of pairs of two people at least this similar is {result.at_similarity}; "
        f"the threshold misses a share of {result.missed} of pairs of one person ({result.detail.source})"
    )
    speaker.result(
        "among people who resemble each other, the share is not known for this calibration"
        if result.alike is None
        else f"among people who resemble each other (as {result.alike_by} sees them), the share is {result.alike}"
    )


def detect(
    pictures: options.Pictures,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Copy with boxes and landmarks: a .png or .jpg file, or a folder.",
            show_default=False,
        ),
    ] = None,
    detector: options.Detector = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    min_face: options.MinFace = None,
    _max_picture: options.MaxPicture = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Find faces: boxes, scores and five landmarks."""
    from multiface.faces.finding import find_faces
    from multiface.faces.opening import open_detector
    from multiface.images import Mark, draw_faces, open_picture, save_picture
    from multiface.recognition.documents import detection_document

    speaker = Speaker(as_json, quiet)
    chosen = options.choose(Settings.here(), detector, None, None, threads, engine, min_face)
    paths = picture_paths(speaker, pictures)
    target = annotated_copies(out, paths)
    network = open_detector(chosen.files(), chosen.detector, chosen.engine_value(), chosen.min_face)

    def one(path: Path) -> dict[str, Any]:
        picture = open_picture(path)
        image = picture.pixels
        found = find_faces(network, image)
        document = detection_document(path, image.shape[1], image.shape[0], found, picture.whole_share)
        speaker.result(f"{path}: {counted(len(found.faces), 'face')}{_found(found.turn, found.bordered)}")
        _say_damage(speaker, path, picture.whole_share)
        for number, face in enumerate(document["faces"], 1):
            x0, y0, x1, y1 = face["box"]
            speaker.result(f"  {number}: {x0:.0f},{y0:.0f} to {x1:.0f},{y1:.0f}  score {face['score']:.3f}")
        if target is not None:
            marks = [
                Mark(tuple(face["box"]), f"{face['score']:.2f}", landmarks=found.faces.landmarks[k])
                for k, face in enumerate(document["faces"])
            ]
            save_picture(draw_faces(image, marks), target(path))
        return document

    documents, failed = each_picture(speaker, paths, one)
    speaker.document({"pictures": documents})
    end(failed)


def align(
    pictures: options.Pictures,
    out: Annotated[Path, typer.Option("--out", help="Folder for the crops (PNG).", show_default=False)],
    detector: options.Detector = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            help="Crops for these weights (default: 112 x 112).",
            show_default=False,
            autocompletion=completions.embedders,
        ),
    ] = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    min_face: options.MinFace = None,
    _max_picture: options.MaxPicture = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Cut out the faces, upright and of one size: NAME_0.png, NAME_1.png, ... best detection first."""
    from multiface.faces.align import align as crops_of
    from multiface.faces.finding import find_faces
    from multiface.faces.opening import open_detector
    from multiface.images import open_picture, save_picture
    from multiface.recognition.documents import damage_document
    from multiface.weights.spec import ARCFACE_TEMPLATE

    speaker = Speaker(as_json, quiet)
    chosen = options.choose(Settings.here(), detector, weights, None, threads, engine, min_face)
    paths = picture_paths(speaker, pictures)
    files = chosen.files()
    network = open_detector(files, chosen.detector, chosen.engine_value(), chosen.min_face)
    template, size = ARCFACE_TEMPLATE, (112, 112)
    if weights is not None:
        spec = files.embedder(weights).spec
        template, size = spec.template, (spec.width, spec.height)
    crop_file = crop_files(out, paths)

    def one(path: Path) -> dict[str, Any]:
        picture = open_picture(path)
        image = picture.pixels
        found = find_faces(network, image)
        written = []
        for k, crop in enumerate(crops_of(image, found.faces.landmarks, template, size)):
            file = crop_file(path, k)
            save_picture(crop, file)
            written.append(str(file))
        speaker.result(f"{path}: {counted(len(written), 'crop')}{_found(found.turn, found.bordered)}")
        _say_damage(speaker, path, picture.whole_share)
        return {
            "path": str(path),
            "turn": found.turn,
            "bordered": found.bordered,
            "damaged": damage_document(picture.whole_share),
            "crops": written,
        }

    documents, failed = each_picture(speaker, paths, one)
    speaker.document({"pictures": documents})
    end(failed)


def embed(
    pictures: options.PicturesOrObjects,
    out: Annotated[
        Path | None, typer.Option("--out", help="File: .npz, .jsonl or .parquet.", show_default=False)
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Also the raw features and their norms (.npz only).")
    ] = False,
    ray: options.Ray = None,
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
    """Turn every face of each picture into a vector of unit length.

    .npz holds `embeddings` float32 (n, d), `boxes` (n, 4), `scores` (n,), `paths` (n,) and `fingerprint`;
    .jsonl has a line for each face. .parquet is for millions of pictures, also from Parquet files (column `image`) and
    from S3 stores (s3://BUCKET/PREFIX): it is written in parts, and a stopped run goes on; --ray works on a cluster.
    """
    from multiface.cli.vector_files import VectorTable, write_jsonl, write_npz
    from multiface.datasets.object_store import is_object_address

    if out is None and not as_json:
        raise UsageError(
            "embed writes vectors",
            hint="give --out FILE.npz, --out FILE.jsonl, --out FILE.parquet, or --json",
        )
    if out is not None and out.suffix.lower() not in (".npz", ".jsonl", ".parquet"):
        raise UsageError(f"--out {out}: the ending must be .npz, .jsonl or .parquet", path=out)
    if ray is not None and (out is None or out.suffix.lower() != ".parquet"):
        raise UsageError("--ray needs --out FILE.parquet")
    if raw and (out is None or out.suffix.lower() != ".npz"):
        raise UsageError("--raw needs --out FILE.npz")
    if out is not None:
        require_folder(out)
    speaker = Speaker(as_json, quiet)
    chosen = options.choose(Settings.here(), detector, weights, flip, threads, engine, min_face)
    if out is not None and out.suffix.lower() == ".parquet":
        found = pictures_and_objects(speaker, pictures)
        refuse_inputs([out], [path for path in found if isinstance(path, Path)])
        embed_many(speaker, chosen, found, out, ray)
        return
    for given in pictures:
        if is_object_address(given):
            raise UsageError(f"{given}: objects of a store need --out FILE.parquet")
    paths = picture_paths(speaker, [Path(given) for given in pictures])
    if out is not None:
        refuse_inputs([out], paths)
    with chosen.recognizer() as recognizer:
        table = VectorTable(recognizer.embedder.name, recognizer.embedder.fingerprint, [])

        def one(path: Path) -> dict[str, Any]:
            found = table.add(path, recognizer, raw).analysis
            count = len(found.faces)
            speaker.result(f"{path}: {counted(count, 'face')}{_found(found.turn, found.bordered)}")
            return {"path": str(path), "turn": found.turn, "bordered": found.bordered, "faces": count}

        documents, failed = each_picture(speaker, paths, one)
    if out is not None and out.suffix.lower() == ".npz":
        write_npz(out, table)
    elif out is not None:
        write_jsonl(out, table)
    head = {"weights": table.weights, "fingerprint": table.fingerprint, "pictures": documents}
    speaker.document(head if out is not None else {**head, "faces": table.documents()})
    end(failed)


def each_picture(
    speaker: Speaker,
    paths: Sequence[Path],
    one: Callable[[Path], dict[str, Any]],
    failing: Callable[[Path, str], None] = lambda _path, _why: None,
) -> tuple[list[dict[str, Any]], list[PictureError | ExtraMissing]]:
    """One document for each picture, kept only for JSON, and what was wrong with bad ones; these are said and do not
    stop the others. failing: called with each bad one and why.
    """
    documents, failed = list[dict[str, Any]](), list[PictureError | ExtraMissing]()
    for path in speaker.each("pictures", paths):
        try:
            document = one(path)
        except (PictureError, ExtraMissing) as error:
            failed.append(error)
            speaker.error(error)
            failing(path, str(error))
            document = {"path": str(path), "error": str(error)}
        if speaker.as_json:
            documents.append(document)
    if failed and len(paths) > 1:
        speaker.warn(f"{len(failed):,} of {len(paths):,} pictures could not be used")
    return documents, failed


def end(failed: Sequence[PictureError | ExtraMissing]) -> None:
    """Exit code 4 when all that was wrong is a package that is not installed, else 3."""
    if failed:
        raise typer.Exit(4 if all(isinstance(error, ExtraMissing) for error in failed) else 3)


def _say_identification(speaker: Speaker, path: Path, result: "Identification") -> None:
    from multiface.recognition.wording import comparison, reason, threshold_words

    speaker.result(f"{path}: {counted(len(result.faces), 'face')}{_found(result.turn, result.bordered)}")
    for face in result.faces:
        decision = face.decision
        x0, y0, x1, y1 = face.box
        line = "  ".join(filter(None, (decision.name or "unknown", comparison(decision))))
        speaker.result(f"  {line}  ({reason(decision)}; box {x0:.0f},{y0:.0f} to {x1:.0f},{y1:.0f})")
    threshold = next((f.decision.threshold for f in result.faces if f.decision.threshold), None)
    if threshold is not None:
        speaker.result_once(f"  threshold: {threshold_words(threshold)}")
        if threshold.calibrated is not None:
            speaker.result_once(
                f"  similarity wanted in this gallery {threshold.similarity:.3f}, "
                f"among people at large {threshold.calibrated:.3f}"
            )


def _say_damage(speaker: Speaker, path: Path, whole_share: float | None) -> None:
    from multiface.images import share_in_words

    if whole_share is not None:
        speaker.warn(f"{path}: is damaged: {share_in_words(whole_share)}")


def _found(turn: int, bordered: bool) -> str:
    how = _how_found(turn, bordered)
    return f" ({how})" if how else ""


def _how_found(turn: int, bordered: bool) -> str:
    """How the faces of a picture were found; nothing for the first look."""
    if turn:
        return f"found after turning the picture by {90 * turn} degrees counter-clockwise"
    return "found only with a border around the picture" if bordered else ""
