"""Says in an event that it comes after others that happened later.

Events are told when they are decided, and a name, say, is decided up to some seconds after the face was seen. Holding
the others back would make all of them late, so the one that is out of order says so: `late` is by how many seconds.
"""

from typing import Any

from multiface.video.results import Event


class Lateness:
    """The events of one run, in the order in which they are told."""

    def __init__(self) -> None:
        self._latest = float("-inf")

    def document(self, event: Event) -> dict[str, Any]:
        """The event's document; with `late`, in seconds above 0, where one that was told before has a later time."""
        document = event.document()
        late = round(self._latest - event.time, 6)
        self._latest = max(self._latest, event.time)
        return document | {"late": late} if late > 0 else document
