"""The segments of a JPEG file up to the end of its data. Source: ITU T.81, annex B."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

END = b"\xff\xd9"
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
TABLES, QUANTIZATION, RESTART_INTERVAL = 0xC4, 0xDB, 0xDD
SEQUENTIAL, FRAMES = (0xC0, 0xC1), (0xC0, 0xC1, 0xC2)

_AFTER_CODES = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")


@dataclass(frozen=True, slots=True)
class Segment:
    """marker: its second byte. start: of the marker. content: without the length. codes: where those of a scan lie."""

    marker: int
    start: int
    content: bytes
    codes: range


def segments(data: bytes) -> Iterator[Segment]:
    """In order, up to the end of the picture or of the data; what is cut short is left out."""
    at = data.find(b"\xff", 2)
    while 0 <= at < len(data) - 1:
        marker = data[at + 1]
        if marker == END_OF_IMAGE:
            yield Segment(marker, at, b"", range(0))
            return
        if marker in (0x00, 0xFF):
            at = data.find(b"\xff", at + 1)
            continue
        after = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if after < at + 4 or after > len(data):
            return
        found = _AFTER_CODES.search(data, after) if marker == START_OF_SCAN else None
        end = after if marker != START_OF_SCAN else len(data) if found is None else found.start()
        yield Segment(marker, at, data[at + 4 : after], range(after, end))
        at = data.find(b"\xff", end)
