"""Requests about pictures: the methods of `Recognizer`."""

from collections.abc import Iterable, Sequence
from io import BytesIO

import PIL.Image

from multiface.arrays import Floats
from multiface.client import answers
from multiface.client.call import Call, Document, parameters, quoted, several
from multiface.decision import Candidate
from multiface.faces.face import Faces
from multiface.images import PictureSource, undecoded
from multiface.recognition import VERIFY_RATE, Enrolment, Identification, Verification
from multiface.recognition.enrolment import pictures_in


def identify(picture: PictureSource, groups: str | Sequence[str] = ()) -> Call[Identification]:
    """Who is in a picture; see `Recognizer.identify`."""
    return Call(
        "POST",
        "/v1/identify",
        lambda document: answers.identification(_only(document)),
        parameters(group=several(groups)),
        pictures=[_content(picture)],
    )


def verify(
    a: PictureSource, b: PictureSource, rate: float = VERIFY_RATE, faces: Sequence[int] = ()
) -> Call[Verification]:
    """Whether two pictures show the same person; see `Recognizer.verify`."""
    return Call(
        "POST",
        "/v1/verify",
        answers.verification,
        parameters(rate=rate, face=list(faces)),
        pictures=[_content(a), _content(b)],
    )


def detect(picture: PictureSource) -> Call[Faces]:
    """The faces of a picture."""
    return Call(
        "POST", "/v1/detect", lambda document: answers.faces(_only(document)), pictures=[_content(picture)]
    )


def embed(picture: PictureSource) -> Call[Floats]:
    """The vector of each face, float32 (n, d) of unit length, in the order of `identify`; (0, 0) without a face."""
    return Call(
        "POST",
        "/v1/embed",
        lambda document: answers.embeddings(_only(document)),
        pictures=[_content(picture)],
    )


def search(
    picture: PictureSource, most: int = 5, groups: str | Sequence[str] = ()
) -> Call[list[list[Candidate]]]:
    """The most similar people for each face, undecided; see `Recognizer.rank`."""
    return Call(
        "POST",
        "/v1/search",
        lambda document: answers.ranking(_only(document)),
        parameters(most=most, group=several(groups)),
        pictures=[_content(picture)],
    )


def enroll(
    name: str,
    pictures: PictureSource | Iterable[PictureSource],
    force: bool = False,
    another: bool = False,
) -> Call[Enrolment]:
    """Add pictures of one person; see `Recognizer.enroll`. name: a new or known name.

    At most 50 pictures and 20 MB go into one request. Raises FaceError or PictureError if none could be used.
    """
    return Call(
        "POST",
        "/v1/people",
        answers.enrolment,
        parameters(name=name, force=force, another=another),
        pictures=[_content(picture) for picture in pictures_in(pictures)],
        writes=True,
    )


def add_faces(
    person: str, pictures: PictureSource | Iterable[PictureSource], force: bool = False
) -> Call[Enrolment]:
    """Add pictures of a person who is known. person: the id."""
    return Call(
        "POST",
        f"/v1/people/{quoted(person)}/faces",
        answers.enrolment,
        parameters(force=force),
        pictures=[_content(picture) for picture in pictures_in(pictures)],
        writes=True,
    )


def _only(document: Document) -> Document:
    (one,) = document["pictures"]
    return dict(one)


def _content(picture: PictureSource) -> bytes:
    """The bytes of a picture's file; of an array, those of a PNG. Raises PictureError."""
    held = undecoded(picture)
    if isinstance(held, bytes):
        return held
    content = BytesIO()
    PIL.Image.fromarray(held).save(content, "PNG", compress_level=1)
    return content.getvalue()
