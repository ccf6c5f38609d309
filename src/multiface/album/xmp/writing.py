"""Sidecars: who is in a picture, written beside it in XMP. The picture itself is never touched.

A sidecar that is there keeps all that is not ours; one that cannot be read is never replaced.
"""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from multiface.album.xmp.people import with_people
from multiface.album.xmp.reading import read_packet
from multiface.album.xmp.regions import Region, Stored
from multiface.album.xmp.sidecars import is_link, is_there, sidecar_to_write
from multiface.atomic_write import whole_file
from multiface.errors import InputError, UsageError, about
from multiface.images.header import read_header
from multiface.images.path_text import path_text


@dataclass(frozen=True, slots=True)
class WrittenSidecar:
    """path: of the sidecar, which may not be there if nobody is to be named. changed: whether it was written.
    left_out: regions that were not, because others have given that face another name.
    """

    path: Path
    changed: bool
    left_out: tuple[Region, ...]


def write_sidecar(
    picture: Path, regions: Sequence[Region], stored: Stored | None = None, sidecar: Path | None = None
) -> WrittenSidecar:
    """Name the people of a picture in its sidecar, and nobody else whom MultiFace named there before.

    regions: in pixels of the upright picture; those without a name are passed over. stored: how the picture is stored;
    None: read from its header, which is also read for a new sidecar. sidecar: None: the one that is there, or
    `photo.jpg.xmp` (`sidecar_to_write`).

    Nothing is written where the sidecar says so already. Raises InputError for a sidecar that cannot be read or is a
    symbolic link, UsageError for a box outside the picture and where the sidecar cannot be written, and what
    `read_header` raises.
    """
    path = sidecar_to_write(picture) if sidecar is None else sidecar
    name = path_text(path)
    with about(path):
        refuse_link(path)
        packet = read_packet(path) if is_there(path) else None
    inside = None
    if stored is None or packet is None:
        header = read_header(picture)
        stored = stored or Stored(header.width, header.height, header.orientation)
        inside = header.xmp
    with about(path):
        people = with_people(packet, regions, stored, name, inside)
        if people.changed:
            replace_file(path, people.packet)
    return WrittenSidecar(path, people.changed, people.left_out)


def refuse_link(path: Path) -> None:
    """Raises InputError for a symbolic link: what it leads to may be anybody's."""
    if is_link(path):
        raise InputError(
            f"{path_text(path)}: is a symbolic link, which is not followed",
            hint="put a file in its place",
            path=path,
        )


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole; one that was there passes its permissions on. Raises UsageError if that fails."""
    try:
        mode = stat.S_IMODE(path.lstat().st_mode) if is_there(path) else None
        with whole_file(path, private=mode is not None) as file:
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
            file.write(content)
    except OSError as error:
        raise UsageError(
            f"{path_text(path)}: cannot be written ({error.strerror or error})", path=path
        ) from error
