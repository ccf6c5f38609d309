"""Every error that MultiFace raises on purpose, in one tree.

MultifaceError
├── UsageError                 an argument or setting that cannot be meant (exit code 2)
├── InputError                 what was handed in is not usable (exit code 3)
│   ├── PictureError           a picture that cannot be used
│   │   ├── UndecodablePicture     not a picture, or a broken one
│   │   └── PictureTooLarge        over the limit on bytes or pixels
│   ├── FaceError              the faces in a picture are not what the job needs
│   │   ├── NoFace                 no face was found
│   │   └── SeveralFaces           several faces and none of them clearly the main one
│   ├── GalleryError           a gallery that cannot be read, or a person that is not in it
│   │   ├── FingerprintMismatch    vectors of other weights than those in use
│   │   ├── AmbiguousName          a name that several people of a gallery have
│   │   ├── NotInGallery           a person, face, group or change that is not in it
│   │   ├── GalleryConflict        what is in it speaks against the change
│   │   ├── GalleryBusy            another program keeps it locked, or its server is away
│   │   └── GalleryReadOnly        it may be read but not written
│   ├── WeightsError           a weights file that is broken or not what it claims to be
│   ├── DataSetError           a data set that is broken or incomplete
│   └── RateNotSupported       an error rate that a calibration's or evaluation's set cannot support
└── NotAvailable               something that this installation does not have (exit code 4)
    ├── ExtraMissing               an optional package is not installed
    ├── WeightsMissing             weights that are not in the store
    ├── EngineMissing              an ONNX Runtime engine that this machine does not have
    ├── DownloadFailed             a server that did not deliver what was asked
    └── ServiceFailed              a MultiFace service that refused or did not answer

A message names the thing, what was wanted, what was found, and what to do. Messages hold no vectors. Whoever catches
an error need not read its message: each has the fields of `MultifaceError`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any


class MultifaceError(Exception):
    """Base of all errors that MultiFace raises on purpose.

    path: the file or folder that it is about. picture: the picture, as messages call it: its path, or "the picture"
    for one that has none. name: of a person, of weights, of a data set. hint: what to do, the last words of the
    message: added to it where it does not end so. Each is None where it is not known.
    """

    def __init__(
        self,
        message: str = "",
        *,
        path: str | PathLike[str] | None = None,
        picture: str | None = None,
        name: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message if hint is None or message.endswith(hint) else f"{message}; {hint}")
        self.path = None if path is None else Path(path)
        self.picture = picture
        self.name = name
        self.hint = hint


@contextmanager
def about(
    path: str | PathLike[str] | None = None, picture: str | None = None, name: str | None = None
) -> Iterator[None]:
    """Errors from inside get these fields where they do not have them yet."""
    try:
        yield
    except MultifaceError as error:
        error.path = error.path or (None if path is None else Path(path))
        error.picture = error.picture or picture
        error.name = error.name or name
        raise


class UsageError(MultifaceError):
    """An argument or a setting that cannot be meant."""


class InputError(MultifaceError):
    """What was handed in is not usable."""


class PictureError(InputError):
    """A picture that cannot be used."""


class UndecodablePicture(PictureError):
    """Not a picture, or a broken one."""


class PictureTooLarge(PictureError):
    """Over the limit on bytes or pixels."""


class FaceError(InputError):
    """The faces in a picture are not what the job needs."""


class NoFace(FaceError):
    """No face was found."""


class SeveralFaces(FaceError):
    """Several faces and none of them clearly the main one."""


class GalleryError(InputError):
    """A gallery that cannot be read, or a person that is not in it."""


class FingerprintMismatch(GalleryError):
    """Vectors of other weights than those in use."""


class AmbiguousName(GalleryError):
    """A name that several people of a gallery have. name: as the gallery keeps it; people: their ids, oldest first."""

    def __init__(
        self,
        message: str = "",
        name: str | None = None,
        people: tuple[str, ...] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message, name=name, hint=hint)
        self.people = people


class NotInGallery(GalleryError):
    """A person, face, group or change that is not in a gallery."""


class GalleryConflict(GalleryError):
    """What is in a gallery speaks against a change: a name that is taken, a face that is somebody else's."""


class GalleryBusy(GalleryError):
    """Another program keeps a gallery locked, or its server is away: try again later."""


class GalleryReadOnly(GalleryError):
    """A gallery that may be read but not written: a read-only file or disk, or a role that may only read."""


class WeightsError(InputError):
    """A weights file that is broken or not what it claims to be."""


class DataSetError(InputError):
    """A data set that is broken or incomplete."""


class RateNotSupported(InputError):
    """An error rate that the set it would be measured on cannot support."""


class NotAvailable(MultifaceError):
    """Something that this installation does not have."""


class ExtraMissing(NotAvailable):
    """An optional package is not installed."""


class WeightsMissing(NotAvailable):
    """Weights that are not in the store."""


class EngineMissing(NotAvailable):
    """An ONNX Runtime engine that this machine does not have."""


class DownloadFailed(NotAvailable):
    """A server that did not deliver what was asked."""


class ServiceFailed(NotAvailable):
    """A MultiFace service refused a request for a reason that no other error has, or did not answer.

    status: of its answer; None where there was none. kind: as the problem's type has it, such as "no_key". request_id:
    under which the service's log has the request.
    """

    def __init__(
        self,
        message: str = "",
        status: int | None = None,
        kind: str = "no_answer",
        request_id: str | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(message, **fields)
        self.status = status
        self.kind = kind
        self.request_id = request_id


def how_to_install(extra: str) -> str:
    """How an extra of the package is installed. The name of the package is not ours on the index: it is installed from
    its folder, as README says.
    """
    return f"pip install '.[{extra}]' in the folder of MultiFace's source"
