"""Which gallery or folder of people a command means, and whether it is there."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from multiface.cli.settings import Settings
from multiface.errors import GalleryError, NotAvailable, UsageError

if TYPE_CHECKING:
    from multiface.gallery import Gallery


def gallery_of(settings: Settings, option: str | None) -> str:
    """The gallery that is meant: the option, the setting, or the user's own gallery file.

    Raises NotAvailable where none is named and the user has no home.
    """
    from multiface.weights.places import default_gallery_file

    place = settings.optional_text("gallery", option)
    return str(default_gallery_file()) if place is None else place


def people_folder_of(settings: Settings, people: str | None, gallery: str | None) -> str | None:
    """The folder of people that is meant: the option, or the setting where no gallery is named; None for a gallery.

    Raises UsageError where both options are given.
    """
    if people is not None and gallery is not None:
        raise UsageError("give --people or --gallery, not both")
    return None if gallery else settings.optional_text("people", people)


def existing(place: str) -> str:
    """The same place. Raises GalleryError where there is no such file, with the ways to make one."""
    if "://" not in place and not Path(place).exists():
        raise GalleryError(
            f"gallery {place}: there is no such file, so nobody is known",
            hint="`multiface facebank FOLDER` makes a "
            "gallery, --gallery FILE says which is meant, and commands that recognise need none with --people FOLDER",
            path=place,
        )
    return place


def ready(place: str) -> str:
    """The same place, its folder made when it is the user's own gallery."""
    from multiface.weights.places import default_gallery_file

    with suppress(NotAvailable):
        if place == str(default_gallery_file()):
            default_gallery_file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place


def opened_gallery(option: str | None) -> "Gallery":
    """The gallery that is meant, open. Raises GalleryError where it is not there."""
    from multiface.gallery import Gallery

    return Gallery.open(existing(gallery_of(Settings.here(), option)))
