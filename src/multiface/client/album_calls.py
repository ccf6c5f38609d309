"""Requests about albums and long work: the methods of `Album`. People are named by id."""

from collections.abc import Sequence

from multiface.album import AlikeGroup, Hit, HitFace, UnknownGroup
from multiface.client import answers
from multiface.client.call import Call, Document, Page, parameters, quoted
from multiface.client.people_calls import PAGE
from multiface.images.box import Box

Job = Document
"""A job as the service tells it: `job` (its id), `state`, `done`, `total`, `result`, `problem`."""


def find_page(
    *people: str,
    cursor: str | None = None,
    without: Sequence[str] = (),
    only: bool = False,
    unknown: bool = False,
    any_of: bool = False,
    since: str | None = None,
    until: str | None = None,
) -> Call[Page[Hit]]:
    """One page of photos and films; see `Album.find`. people, without: ids."""
    return Call(
        "GET",
        "/v1/photos",
        lambda document: Page([answers.hit(one) for one in document["photos"]], document["next"]),
        [
            *(("any", "true") for _ in range(any_of)),
            *parameters(
                person=list(people), without=list(without), only=only, unknown=unknown, since=since,
                until=until, limit=PAGE, cursor=cursor,
            ),
        ],
    )  # fmt: skip


def picture(photo: int, side: int = 1600) -> Call[bytes]:
    """A photo as JPEG, upright, its longest side at most so many pixels."""
    return Call("GET", f"/v1/photos/{photo}/picture", bytes, parameters(side=side), raw=True)


def strangers_page(*, cursor: str | None = None, ignored: bool = False) -> Call[Page[UnknownGroup]]:
    """One page of unknown people, the most useful to name first. ignored: those to ignore instead."""
    return Call(
        "GET",
        "/v1/strangers",
        lambda document: Page([answers.group(one) for one in document["strangers"]], document["next"]),
        parameters(limit=PAGE, cursor=cursor, ignored=ignored, faces=10_000),
    )


def alike_strangers(stranger: int) -> Call[list[AlikeGroup]]:
    """The other unknown people, those most similar to one first; see `Album.alike_groups`."""
    return Call(
        "GET",
        f"/v1/strangers/{stranger}/alike",
        lambda document: [
            AlikeGroup(answers.group(one), float(one["similarity"])) for one in document["strangers"]
        ],
        parameters(limit=PAGE, faces=10_000),
    )


def single_faces_page(*, cursor: str | None = None) -> Call[Page[HitFace]]:
    """One page of unknown faces that are in no group."""
    return Call(
        "GET",
        "/v1/strangers/singles",
        lambda document: Page([answers.face(one) for one in document["faces"]], document["next"]),
        parameters(limit=PAGE, cursor=cursor),
    )


def name_stranger(stranger: int, name: str) -> Call[str]:
    """Say who a stranger is, by a new or known name; the person's id."""
    return Call(
        "POST",
        f"/v1/strangers/{stranger}/name",
        lambda document: str(document["person"]),
        body={"name": name},
        writes=True,
    )


def merge_strangers(into: int, from_: int) -> Call[None]:
    """Two strangers are one; the first keeps its number."""
    return Call("POST", f"/v1/strangers/{into}/merge", _nothing, body={"stranger": from_}, writes=True)


def split_stranger(stranger: int, faces: Sequence[int]) -> Call[int]:
    """Some faces of a stranger are somebody else's; the new number."""
    return Call(
        "POST",
        f"/v1/strangers/{stranger}/split",
        lambda document: int(document["stranger"]),
        body={"faces": list(faces)},
        writes=True,
    )


def ignore_stranger(stranger: int, ignored: bool = True) -> Call[None]:
    """A stranger is of no interest; ignored False: is again."""
    return Call("POST", f"/v1/strangers/{stranger}/ignore", _nothing, body={"ignored": ignored}, writes=True)


def name_face(face: int, person: str) -> Call[HitFace]:
    """Say who a face is. person: the id."""
    return Call("PATCH", f"/v1/faces/{face}", answers.face, body={"person": person}, writes=True)


def not_person(face: int, person: str) -> Call[HitFace]:
    """Say who a face is not, for ever. person: the id."""
    return Call("PATCH", f"/v1/faces/{face}", answers.face, body={"not": person}, writes=True)


def ignore_face(face: int, ignored: bool = True) -> Call[HitFace]:
    """A face is of no interest; ignored False: is again."""
    return Call("PATCH", f"/v1/faces/{face}", answers.face, body={"ignored": ignored}, writes=True)


def mark(photo: int, box: Box, name: str | None = None) -> Call[HitFace]:
    """Draw a face that was not found. box: x0, y0, x1, y1 in pixels of the upright picture. name: who it is."""
    body = {"box": list(box)} | ({} if name is None else {"name": name})
    return Call("POST", f"/v1/photos/{photo}/faces", answers.face, body=body, writes=True)


def scan(folder: str) -> Call[Job]:
    """Scan a folder on the server's disk; the job, for `job` and `wait`."""
    return Call("POST", "/v1/albums", dict, body={"folder": folder}, writes=True)


def backup() -> Call[Job]:
    """Write a backup on the server; the job."""
    return Call("POST", "/v1/backup", dict, writes=True)


def job(number: str) -> Call[Job]:
    """How far a job is."""
    return Call("GET", f"/v1/jobs/{quoted(number)}", dict)


def cancel(number: str) -> Call[Job]:
    """Cancel a job."""
    return Call("DELETE", f"/v1/jobs/{quoted(number)}", dict, writes=True)


def _nothing(_document: object) -> None:
    return None
