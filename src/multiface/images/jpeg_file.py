"""JPEG pictures that are decoded as far as they go, with the share of their rows that is whole.

libjpeg fills what is missing with grey and says so only to its own log. Here the decoder gets the codes of the scan
without the marker behind them. Where it asks for more, some are missing; where it ends long before them, some are
wrong; only then are they read once more, one by one (`jpeg_codes`). Of a picture with several scans, such as a
progressive one, a row is whole when the last scan reaches it. A fault inside an earlier scan, or between two restart
markers that are both there, cannot be seen: the decoder takes up its work behind it.
"""

from io import BytesIO

import numpy as np
from PIL import JpegImagePlugin

from multiface.images.jpeg_codes import misses_restart, whole_rows
from multiface.images.jpeg_segments import (
    END,
    END_OF_IMAGE,
    FRAMES,
    SEQUENTIAL,
    START_OF_SCAN,
    segments,
)
from multiface.images.pixels import strips

_PADDING = b"\xff\x00" * 8
"""Set bits, as those which fill the last byte of a scan; as many as the decoder looks ahead."""
_TAIL = 32
"""So many bytes that the decoder does not ask for are a fault, unless all are the same: some writers fill up."""
_OTHER = bytes(range(1, 255)) * 64
"""Codes of no picture."""
_CHUNK = 1 << 20


class JpegFile(JpegImagePlugin.JpegImageFile):
    """A JPEG that is decoded although it is damaged; `whole_share` then says how much of it is whole."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        super().__init__(BytesIO(data))
        self._segments = tuple(segments(data))
        self._scans = [one for one in self._segments if one.marker == START_OF_SCAN]
        end = self._scans[0].codes.stop if self._one_scan() else len(data)
        self._tail = range(max(0, end - _TAIL), end)
        chunks = [range(start, min(start + _CHUNK, end - _TAIL)) for start in range(0, end - _TAIL, _CHUNK)]
        self._left: list[range | bytes] = (
            [*chunks, self._tail, _PADDING, END] if self._one_scan() else [*chunks, self._tail, END]
        )
        self._left.reverse()

    def load_read(self, _size: int) -> bytes:
        """The next piece of the file, whatever its size."""
        piece = self._left.pop() if self._left else b""
        return piece if isinstance(piece, bytes) else self._data[piece.start : piece.stop]

    def whole_share(self) -> float | None:
        """After `load`: the share of the rows that are whole, 0..1; None for a picture that is whole to its last byte.

        Where some codes are wrong and nobody can say which, 0.
        """
        ended = self._segments[-1].marker == END_OF_IMAGE
        if not self._one_scan():
            share = self._share_of_last_scan() if self._all_final() else 0.0
            return None if ended and share == 1 else share
        too_many = self._tail in self._left and len(set(self._data[self._tail.start : self._tail.stop])) > 1
        if not too_many and self._left and not misses_restart(self._data):
            return None if ended else 1.0
        share = float(np.mean(whole_rows(self._data)))
        return 0.0 if too_many and share == 1 else share

    def _one_scan(self) -> bool:
        """Whether one scan of Huffman codes holds all components."""
        sequential = any(one.marker in SEQUENTIAL for one in self._segments)
        return sequential and bool(self._scans) and self._scans[0].content[0] == self.layers

    def _all_final(self) -> bool:
        """Whether the scans bring each coefficient of each component to its last bit."""
        final = np.zeros((self.layers, 64), np.bool_)
        names = next(one.content[6::3] for one in self._segments if one.marker in FRAMES)
        for scan in self._scans:
            count = scan.content[0]
            first, last, bits = scan.content[1 + 2 * count :]
            if bits & 15 == 0:
                for name in scan.content[1 : 1 + 2 * count : 2]:
                    final[names.index(name), first : last + 1] = True
        return bool(final.all())

    def _share_of_last_scan(self) -> float:
        """The rows that other codes behind the last scan do not change: those that it lacks would stand there."""
        scan = self._data[: self._scans[-1].codes.stop]
        with JpegImagePlugin.JpegImageFile(BytesIO(scan + _OTHER + END)) as picture:
            for (rows, other), (_, own) in zip(strips(picture), strips(self), strict=True):
                changed = (np.asarray(other) != np.asarray(own)).reshape(own.height, -1).any(axis=1)
                if changed.any():
                    return float(rows.start + np.argmax(changed)) / self.height
        return 1.0
