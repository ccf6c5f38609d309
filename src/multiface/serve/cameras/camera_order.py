"""What the process of a camera is told at its start, as one line of JSON on its standard input.

Never on its command line, which every user of the machine can read: it holds the passwords of the camera and of a
gallery on a server.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from multiface.json_text import document_of, parse_json, record_from


@dataclass(frozen=True, slots=True)
class CameraOrder:
    """recogniser: as `Recognizer.described` has it. camera: its id. source: with the password in it. keep_strangers:
    days; None for not at all. owner: of the lease.
    """

    recogniser: dict[str, Any] = field(repr=False)
    camera: str
    source: str = field(repr=False)
    keep_strangers: float | None
    unknown_alert: bool
    owner: str

    def line(self) -> bytes:
        """The line."""
        return json.dumps(document_of(self)).encode() + b"\n"

    @staticmethod
    def of(line: bytes) -> "CameraOrder":
        """What a line says. Raises ValueError."""
        return record_from(parse_json(line), CameraOrder)
