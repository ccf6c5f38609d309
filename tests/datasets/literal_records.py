"""A second writer of record files, from the format's description and without a line of the package.

A record is `<magic> <kind and length> <body>` padded to 4 bytes; the body is an image header (flag, label, id, id2,
and `flag` further labels) and the payload. The index has a line `key TAB offset` a record.
"""

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image

MAGIC = 0xCED7230A
PEOPLE, EACH = 8, 5
"""Of the training set: people 0..7, five pictures of each, which are records 1..40; record 17 is a PNG."""


def record(key: int, labels: tuple[float, ...], payload: bytes) -> bytes:
    """One record with a label of one number, or of several. The magic number may not stand within it."""
    one = len(labels) == 1
    body = struct.pack("<IfQQ", 0 if one else len(labels), labels[0] if one else 0.0, key, 0)
    body += b"" if one else struct.pack(f"<{len(labels)}f", *labels)
    body += payload
    assert struct.pack("<I", MAGIC) not in body
    return struct.pack("<II", MAGIC, len(body)) + body + b"\0" * (-len(body) % 4)


def picture(key: int) -> bytes:
    """112 x 112 of one colour a picture with some noise, its red far from its blue."""
    colour = np.array([200 - 2 * key, 90, 30 + 3 * key])
    noise = np.random.default_rng(key).normal(0, 6, (112, 112, 3))
    file = io.BytesIO()
    pixels = np.clip(colour + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "PNG" if key == 17 else "JPEG")
    return file.getvalue()


def pictures() -> dict[int, bytes]:
    """Key -> the bytes of its picture."""
    return {key: picture(key) for key in range(1, PEOPLE * EACH + 1)}


def write_training_set(folder: Path) -> Path:
    """The same folder, with `train.rec`, `train.idx` and `property` in the layout of the field's training sets:

    pictures first, then record 0, which says where the headers are, and a header for each person: where the pictures
    are.
    """
    first = PEOPLE * EACH + 1
    records = [(key, record(key, ((key - 1) // EACH,), content)) for key, content in pictures().items()]
    records.append((0, record(0, (float(first), float(first + PEOPLE)), b"")))
    for person in range(PEOPLE):
        where = (1.0 + person * EACH, 1.0 + (person + 1) * EACH)
        records.append((first + person, record(first + person, where, b"")))
    offset, lines = 0, []
    for key, content in records:
        lines.append(f"{key}\t{offset}\n")
        offset += len(content)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.rec").write_bytes(b"".join(content for _, content in records))
    (folder / "train.idx").write_text("".join(lines))
    (folder / "property").write_text(f"{PEOPLE},112,112\n")
    return folder
