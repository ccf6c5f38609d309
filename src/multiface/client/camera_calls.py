"""Requests about cameras and what happened before them. Cameras and events are as the service tells them (JSON)."""

from typing import Any

from multiface.client.call import Call, Document, Page, parameters, quoted
from multiface.client.people_calls import PAGE


def events_page(
    *, cursor: str | None = None, after: int = 0, camera: str | None = None
) -> Call[Page[Document]]:
    """One page of events after a number, oldest first. camera: only of this one, by id."""

    def read(document: Any) -> Page[Document]:
        following = document["next"]
        return Page(document["events"], None if following is None else str(following))

    begin = after if cursor is None else int(cursor)
    return Call("GET", "/v1/events", read, parameters(after=begin, limit=PAGE, camera=camera))


def last_seen(person: str) -> Call[Document]:
    """Where a person was seen last: the `album`'s newest photo, and by each of the `cameras`."""
    return Call("GET", f"/v1/people/{quoted(person)}/last_seen", dict)


def cameras() -> Call[list[Document]]:
    """The cameras, by name, and how each is."""
    return Call("GET", "/v1/cameras", lambda document: list(document["cameras"]))


def add_camera(name: str, source: str, password: str | None = None, **more: Any) -> Call[Document]:
    """Watch a camera from now on. source: an address or the number of a webcam of the server.

    more: `webhook`, `keep_strangers` (days), `unknown_alert`, `paused`.
    """
    body = {"name": name, "source": source, **more} | ({} if password is None else {"password": password})
    return Call("POST", "/v1/cameras", dict, body=body, writes=True)


def change_camera(camera: str, **changes: Any) -> Call[Document]:
    """Change or pause a camera. changes: what `add_camera` takes, and `paused`."""
    return Call("PATCH", f"/v1/cameras/{quoted(camera)}", dict, body=changes, writes=True)


def remove_camera(camera: str) -> Call[Document]:
    """Remove a camera with its events."""
    return Call("DELETE", f"/v1/cameras/{quoted(camera)}", dict, writes=True)
