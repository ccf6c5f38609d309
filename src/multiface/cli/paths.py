"""The pictures that a command reads and the files that it writes, settled before any work is done.

What is written never takes the place of a picture that is read: files are compared by what they are on the
disk, so links and other spellings of a name do not hide it.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from multiface.cli.console import Speaker, counted
from multiface.errors import PictureError, UsageError
from multiface.file_name import nearest_file_name
from multiface.html_page import is_page

if TYPE_CHECKING:
    from multiface.datasets.object_store import Listed, StoredObject

WRITTEN_ENDINGS = (".png", ".jpg", ".jpeg")
"""Kinds of pictures that are written."""


def picture_paths(speaker: Speaker, given: Sequence[Path], parquet: bool = False) -> tuple[Path, ...]:
    """The pictures that are meant, folders opened up. Says what was passed over; PictureError for none.

    parquet: the Parquet files of a folder that hold pictures are meant too; they come after its pictures.
    """
    from multiface.images import expand

    listing = expand(given)
    for path in listing.again:
        speaker.note(f"{path}: given twice, counted once")
    more = tuple(path for path in listing.ignored if parquet and _parquet_of_pictures(path))
    if passed_over := len(listing.ignored) - len(more):
        speaker.note(f"passed over {counted(passed_over, 'file')} that are no pictures")
    if not listing.pictures and not more:
        raise PictureError("no picture was found in " + ", ".join(str(path) for path in given))
    return listing.pictures + more


def _parquet_of_pictures(one: "Path | StoredObject") -> bool:
    """Files of vectors, such as `embed` writes and keeps the parts of, are not meant."""
    if one.suffix.lower() != ".parquet":
        return False
    from multiface.datasets.parquet_file import holds_pictures

    return holds_pictures(one)


def pictures_and_objects(speaker: Speaker, given: Sequence[str]) -> "list[Path | Listed]":
    """As `picture_paths`, Parquet files included, where addresses of an object store may be given too."""
    from multiface.datasets.object_store import is_object_address, listed
    from multiface.images.endings import named_like_picture

    addresses = [one for one in given if is_object_address(one)]
    paths = [Path(one) for one in given if not is_object_address(one)]
    found: list[Path | Listed] = list(picture_paths(speaker, paths, parquet=True)) if paths else []
    for address in addresses:
        objects = listed(address)
        wanted = [
            one
            for one in objects
            if named_like_picture(one.object.address) or _parquet_of_pictures(one.object)
        ]
        if not wanted:
            raise PictureError(f"no picture was found in {address}", picture=address)
        if len(wanted) < len(objects):
            speaker.note(
                f"{address}: passed over {counted(len(objects) - len(wanted), 'object')} that are no pictures"
            )
        found += wanted
    return found


def annotated_copies(
    out: Path | None, pictures: Sequence[Path], people: str | None = None
) -> Callable[[Path], Path] | None:
    """Where the annotated copy of a picture goes: the file `out` itself, or a file in the folder `out`.

    people: a folder of people, in which nothing may be written. Raises UsageError for what is neither a name
    of a file for one picture nor a folder, and where a copy would replace a picture that is read.
    """
    if out is None:
        return None
    if people is not None and out.resolve().is_relative_to(Path(people).resolve()):
        raise UsageError(
            f"--out {out}: lies in the folder of people {people}", hint="write somewhere else", path=out
        )
    if out.suffix and not out.is_dir():
        if len(pictures) > 1:
            raise UsageError(
                f"--out {out}: this names a file, and there are {len(pictures)} pictures",
                hint="name a folder (one with a dot in its name must be there already)",
                path=out,
            )
        if out.suffix.lower() not in WRITTEN_ENDINGS:
            raise UsageError(
                f"--out {out}: a picture is written as {', '.join(WRITTEN_ENDINGS)}, got the ending "
                f"'{out.suffix}'",
                path=out,
            )
        require_folder(out)
        refuse_inputs([out], pictures)
        return lambda _picture: out
    names = _names(out, pictures)
    copies = {picture: name.with_name(f"{name.name}.png") for picture, name in names.items()}
    refuse_inputs(copies.values(), pictures)
    _make_folder(out)
    return copies.__getitem__


def crop_files(out: Path, pictures: Sequence[Path]) -> Callable[[Path, int], Path]:
    """Where the crop of a picture's k-th face goes: NAME_k.png in the folder `out`.

    Raises UsageError for what cannot be a folder, and where a crop could replace a picture that is read.
    """
    if out.suffix and not out.is_dir():
        raise UsageError(
            f"--out {out}: this names a file, and crops go into a folder (one with a dot in its name must be "
            f"there already)",
            path=out,
        )
    names = _names(out, pictures)
    stems = {name.name.casefold() for name in names.values()}
    there = [path for path in out.iterdir() if path.suffix.lower() == ".png"] if out.is_dir() else []
    refuse_inputs((path for path in there if _without_number(path.stem) in stems), pictures)
    _make_folder(out)
    return lambda picture, k: names[picture].with_name(f"{names[picture].name}_{k}.png")


def require_folder(out: Path, option: str = "--out") -> None:
    """Raises UsageError when the folder of a file to be written is not there: before the work, not after."""
    if not out.absolute().parent.is_dir():
        raise UsageError(f"{option} {out}: cannot be written, there is no folder {out.parent}", path=out)


def require_file(option: str, file: Path, ending: str) -> None:
    """Raises UsageError for what cannot be a file of this kind: another ending, no folder to be in, or a folder."""
    if file.suffix.lower() != ending:
        raise UsageError(f"{option} {file}: the ending must be {ending}", path=file)
    require_folder(file, option)
    if file.is_dir():
        raise UsageError(f"{option} {file}: is a folder, wanted the name of a file", path=file)


def require_page(page: Path) -> None:
    """Raises UsageError for what cannot be an HTML page, or is there and is none."""
    require_file("--page", page, ".html")
    if page.is_file() and not is_page(page):
        raise UsageError(
            f"--page {page}: exists already and is not a page", hint="choose another name", path=page
        )


def refuse_inputs(targets: Iterable[Path], pictures: Iterable[Path]) -> None:
    """Raises UsageError when a file that would be written is one of those that are read."""
    read = {_identity(picture) for picture in pictures} - {None}
    for target in targets:
        if _identity(target) in read:
            raise UsageError(
                f"{target} is one of the files that are read, and would be written over",
                hint="choose another folder or name",
                path=target,
            )


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and number of the file on the disk, through links; None where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _names(folder: Path, pictures: Sequence[Path]) -> dict[Path, Path]:
    """A name of its own in the folder for each picture: its stem, numbered where two pictures share one."""
    names: dict[Path, Path] = {}
    taken: set[str] = set()
    for path in pictures:
        own = nearest_file_name(path.stem)
        stem, count = own, 1
        while stem.casefold() in taken:
            count += 1
            stem = f"{own}-{count}"
        taken.add(stem.casefold())
        names[path] = folder / stem
    return names


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"--out {folder}: cannot be made a folder ({error.strerror})", path=folder
        ) from error


def _without_number(stem: str) -> str:
    """`name` of `name_0`, folded; nothing where no number is at the end."""
    name, _, number = stem.rpartition("_")
    return name.casefold() if number.isdecimal() else ""
