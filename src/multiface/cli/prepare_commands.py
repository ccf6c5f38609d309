"""`prepare`: data sets from record files, packs and photos.

What is there is left alone, so a stopped run goes on. What cannot be used is said and left out (exit code 3).
"""

from collections.abc import Sequence, Sized
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiface.cli import options
from multiface.cli.bulk import networks_of
from multiface.cli.console import Speaker, counted
from multiface.cli.help_page import Commands
from multiface.cli.settings import Settings

if TYPE_CHECKING:
    from multiface.datasets.pack_folder import PackedFolder
    from multiface.datasets.pack_identities import PackedIdentities
    from multiface.datasets.unpack import Unpacked
    from multiface.faces.detector import Detector

prepare = Commands(
    help="Data sets: record files and packs to pictures, photos to aligned crops and record files.",
)

Out = Annotated[
    Path, typer.Option("--out", help="Folder under which everything is written.", show_default=False)
]


@prepare.command("rec")
def rec(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder with train.rec, or with a folder of aligned crops for each person; or tar shards or Parquet "
            "files (a file, a folder, train-{000..012}.tar).",
            metavar="SET",
            show_default=False,
        ),
    ],
    out: Out,
    threads: options.Threads = None,
    _max_picture: options.MaxPicture = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Unpack record files to OUT/imgs/LABEL/KEY.jpg, or pack aligned crops (folders, tar shards, Parquet) into
    OUT/train.rec.

    The bytes of the pictures stay the same both ways.
    """
    from multiface.datasets.shard_names import find_shards
    from multiface.datasets.unpack import unpack_records
    from multiface.errors import DataSetError

    speaker = Speaker(as_json, quiet)
    if not (folder / "train.rec").exists() and find_shards(folder) is not None:
        document = _pack_shards(speaker, folder, out)
        speaker.document(document)
        _end(document["left_out"])
        return
    if not folder.is_dir():
        raise DataSetError(
            f"{folder}: is not a folder; wanted one with train.rec, or with a folder per person", path=folder
        )
    if not (folder / "train.rec").exists():
        if (folder / "imgs").is_dir():
            raise DataSetError(
                f"{folder}: has no train.rec; to pack the people in its imgs, name {folder / 'imgs'}",
                path=folder,
            )
        document = _pack(speaker, options.choose(Settings.here(), threads=threads), folder, out)
        speaker.document(document)
        _end(document["left_out"])
        return
    with speaker.progress("pictures") as progress:
        unpacked = unpack_records(folder, out, progress)
    speaker.result(f"{unpacked.folder}: {unpacked.groups:,} people, {_counts(unpacked)}")
    for reason in unpacked.left_out:
        speaker.warn(f"left out: {reason}")
    if unpacked.left_out:
        speaker.warn(f"{counted(len(unpacked.left_out), 'record')} left out")
    speaker.document(
        {**_unpacked_document(unpacked), "people": unpacked.groups, "left_out": list(unpacked.left_out)}
    )
    _end(unpacked.left_out)


@prepare.command("bin")
def bin_(
    packs: Annotated[list[Path], typer.Argument(help="Packs of pairs (lfw.bin, ...).", show_default=False)],
    out: Out,
    _max_picture: options.MaxPicture = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Unpack packs to OUT/NAME/000000.jpg, ..., with the pairs in OUT/NAME/pairs.json and OUT/NAME_list.npy."""
    from multiface.datasets.unpack import unpack_pack
    from multiface.errors import InputError, UsageError

    speaker = Speaker(as_json, quiet)
    names = [path.stem for path in packs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"two packs are called {twice}, and each would be written over the other", hint="use two --out"
        )
    documents: list[dict[str, Any]] = []
    failed: list[InputError] = []
    for path in packs:
        try:
            with speaker.progress(path.name) as progress:
                unpacked = unpack_pack(path, out, progress)
        except InputError as error:
            failed.append(error)
            speaker.error(error)
            documents.append({"pack": str(path), "error": str(error)})
            continue
        speaker.result(f"{unpacked.folder}: {unpacked.groups:,} pairs, {_counts(unpacked)}")
        documents.append({"pack": str(path), **_unpacked_document(unpacked), "pairs": unpacked.groups})
    if failed and len(packs) > 1:
        speaker.warn(f"{len(failed)} of {len(packs)} packs could not be used")
    speaker.document({"packs": documents})
    _end(failed)


@prepare.command("photos")
def photos(
    folder: Annotated[
        Path, typer.Argument(help="A folder with a folder of photos for each person.", show_default=False)
    ],
    out: Out,
    records: Annotated[
        bool, typer.Option("--records", help="Write the crops into record files (OUT/train.rec) too.")
    ] = False,
    ray: options.Ray = None,
    detector: options.Detector = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    min_face: options.MinFace = None,
    _max_picture: options.MaxPicture = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Align photos of people into crops in OUT/imgs; OUT/dropped.csv lists those without one clear face.

    With --ray a cluster looks at the photos; this machine writes the crops.
    """
    from multiface.bulk.aligning import verdicts_of
    from multiface.bulk.cluster import cluster
    from multiface.errors import NoFace
    from multiface.evaluate.photos import Reason, prepare_photos

    speaker = Speaker(as_json, quiet)
    chosen = options.choose(Settings.here(), detector, None, None, threads, engine, min_face)
    opened, workers = _detector(chosen)
    with ExitStack() as stack:
        verdicts = (
            None if ray is None else verdicts_of(networks_of(chosen), stack.enter_context(cluster(ray)))
        )
        progress = stack.enter_context(speaker.progress("photos"))
        prepared = prepare_photos(folder, out, opened, chosen.min_face, workers, progress, verdicts)
    speaker.result(
        f"{prepared.folder}: {prepared.crops:,} crops of {prepared.people:,} people, "
        f"{prepared.made:,} photos looked at"
    )
    if prepared.dropped:
        speaker.warn(
            f"{len(prepared.dropped):,} of {prepared.photos:,} photos dropped: see {out / 'dropped.csv'}"
        )
    unreadable = [one for one in prepared.dropped if one.reason is Reason.BROKEN]
    if unreadable:
        speaker.warn(f"{counted(len(unreadable), 'photo')} cannot be read, such as {unreadable[0].photo}")
    for name in prepared.without_crop:
        speaker.warn(f"{name}: no photo with one clear face")
    document: dict[str, Any] = {
        "folder": str(prepared.folder),
        "people": prepared.people,
        "photos": prepared.photos,
        "crops": prepared.crops,
        "looked_at": prepared.made,
        "dropped": [
            {"photo": d.photo, "reason": d.reason.value, "detail": d.detail} for d in prepared.dropped
        ],
        "people_without_crop": list(prepared.without_crop),
        "detector": chosen.detector,
    }
    if prepared.crops == 0:
        raise NoFace(
            f"{folder}: none of {prepared.photos:,} photos shows one clear face; see {out / 'dropped.csv'}",
            path=folder,
        )
    if records:
        document["records"] = _pack(speaker, chosen, prepared.folder, out)
    speaker.document(document)
    _end(unreadable)


@prepare.command("lfw")
def lfw(
    folder: Annotated[
        Path, typer.Argument(help="LFW: NAME/NAME_0001.jpg, ..., and pairs.txt.", show_default=False)
    ],
    out: Out,
    detector: options.Detector = None,
    threads: options.Threads = None,
    engine: options.EngineName = None,
    min_face: options.MinFace = None,
    _max_picture: options.MaxPicture = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Align LFW into OUT/lfw_aligned and write its pairs as a pack, OUT/lfw.bin."""
    from multiface.evaluate.photos import prepare_lfw

    speaker = Speaker(as_json, quiet)
    chosen = options.choose(Settings.here(), detector, None, None, threads, engine, min_face)
    opened, workers = _detector(chosen)
    with speaker.progress("pictures") as progress:
        prepared = prepare_lfw(folder, out, opened, chosen.min_face, workers, progress)
    speaker.result(
        f"{prepared.pack}: {prepared.pairs:,} pairs of {prepared.pictures:,} pictures, "
        f"{prepared.made:,} looked at"
    )
    if prepared.middle:
        speaker.warn(f"without a face, so their middle was taken: {', '.join(prepared.middle)}")
    speaker.document(
        {
            "folder": str(prepared.folder),
            "pack": str(prepared.pack),
            "pictures": prepared.pictures,
            "pairs": prepared.pairs,
            "looked_at": prepared.made,
            "without_face": list(prepared.middle),
            "detector": chosen.detector,
        }
    )


def _detector(chosen: options.Chosen) -> "tuple[Detector, int]":
    """The detector with networks of one thread, and as many workers as the thread budget."""
    from multiface.faces.opening import open_detector
    from multiface.weights.session import Engine

    opened = open_detector(chosen.files(), chosen.detector, Engine(chosen.engine, 1), chosen.min_face)
    return opened, chosen.engine_value().thread_count


def _pack(speaker: Speaker, chosen: options.Chosen, folder: Path, out: Path) -> dict[str, Any]:
    """Crops into record files; the part of the document about them."""
    from multiface.datasets.pack_folder import pack_folder

    with speaker.progress("records") as progress:
        packed = pack_folder(folder, out, chosen.engine_value().thread_count, progress)
    return _packed(speaker, packed)


def _pack_shards(speaker: Speaker, place: Path, out: Path) -> dict[str, Any]:
    """Tar shards or Parquet files into record files; the document."""
    from multiface.datasets.opening import open_identities
    from multiface.datasets.pack_identities import pack_identities

    pictures = open_identities(place)
    for note in pictures.notes:
        speaker.note(note)
    with speaker.progress("records") as progress:
        packed = pack_identities(pictures, out, progress)
    document = _tell_of_records(speaker, packed, packed.people, (), packed.left_out)
    return {**document, "left_out": list(packed.left_out)}


def _end(left_out: Sized) -> None:
    """Exit code 3 where something could not be used."""
    if left_out:
        raise typer.Exit(3)


def _packed(speaker: Speaker, packed: "PackedFolder") -> dict[str, Any]:
    left_out = [f"{path}: {reason}" for path, reason in packed.left_out]
    document = _tell_of_records(speaker, packed, len(packed.people), packed.ignored, left_out)
    return {
        **document,
        "ignored": [str(path) for path in packed.ignored],
        "left_out": [{"path": str(path), "reason": reason} for path, reason in packed.left_out],
    }


def _tell_of_records(
    speaker: Speaker,
    packed: "PackedFolder | PackedIdentities",
    people: int,
    ignored: Sequence[Path],
    left_out: Sequence[str],
) -> dict[str, Any]:
    """What was packed into record files and what was not; the part of the document that all of them have."""
    records = str(packed.folder / "train.rec")
    speaker.result(
        f"{records}: {packed.pictures:,} pictures of {people:,} people, {packed.width}x{packed.height} pixels"
    )
    if ignored:
        speaker.note(f"{len(ignored):,} files that are not pictures were left out, such as {ignored[0]}")
    for reason in left_out:
        speaker.warn(f"left out: {reason}")
    if left_out:
        speaker.warn(f"{counted(len(left_out), 'picture')} left out")
    return {
        "rec": records,
        "people": people,
        "pictures": packed.pictures,
        "width": packed.width,
        "height": packed.height,
    }


def _counts(unpacked: "Unpacked") -> str:
    return (
        f"{unpacked.pictures:,} pictures ({unpacked.written:,} written, {unpacked.mended:,} mended, "
        f"{unpacked.kept:,} there already)"
    )


def _unpacked_document(unpacked: "Unpacked") -> dict[str, Any]:
    return {
        "folder": str(unpacked.folder),
        "pictures": unpacked.pictures,
        "written": unpacked.written,
        "mended": unpacked.mended,
        "kept": unpacked.kept,
    }
