"""One frame of a source, what is known of a source, and what a source is.

Times are seconds in the source: presentation time less that of the source's first frame (or of its start, where a
file is read from a later point), so that a whole file begins at 0. `pts` and `time_base` are the exact presentation
time as the container gives it: pts * time_base seconds. Pictures are (h, w, 3) uint8 RGB, upright: a rotation
written in the file is done, 10-bit and HDR pictures are brought to 8-bit sRGB.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from multiface.images import Image

if TYPE_CHECKING:
    from multiface.video.sources.pyav import av


@dataclass(slots=True, eq=False)
class Frame:
    """One frame. Its pixels are converted when they are first asked for, and kept (until `shed`); one thread asks at
    a time.

    number: 0 for the first frame of the source; a live source counts those that it handed out. time: seconds in the
    source. pts, time_base: the exact presentation time. convert: makes the picture; None when it is made for good.
    coded: the decoded picture, where it `fits_copy`. captured: `time.monotonic()` when the frame came in, for a live
    source. gap: for a live source, what kept frames from coming
    before this one (in words), None for nothing; of a frame that is handed out again since no other comes, for how
    long none came.
    """

    number: int
    time: float
    pts: int
    time_base: Fraction
    width: int
    height: int
    convert: Callable[[], Image] | None
    captured: float | None = None
    gap: str | None = None
    coded: "av.VideoFrame | None" = None
    _image: Image | None = field(default=None, init=False, repr=False)

    @property
    def image(self) -> Image:
        """(height, width, 3) uint8 RGB, upright. Raises PictureError for a frame that cannot be converted."""
        if self._image is None:
            assert self.convert is not None
            self._image = self.convert()
            if self.coded is None:
                # What converts holds the decoded frame; that is not needed any more.
                self.convert = None
        return self._image

    @property
    def picture_bytes(self) -> int:
        """Bytes of the picture that it keeps: the decoded one where it has it, else RGB, made or not."""
        pixels = self.width * self.height
        return pixels * 3 if self.coded is None else pixels * 3 // 2

    def shed(self) -> None:
        """Let go of RGB that can be made again; who asks for it later waits a moment."""
        if self.coded is not None:
            self._image = None


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source when it is open.

    name: without credentials, fit to be shown and logged. width, height: of the upright picture, in pixels. frames:
    how many there will be, rate: frames a second, duration: seconds, from begin to end; each None where not known.
    live: frames come at their own pace and may be lost. asked: what a webcam was asked for, in words, and what it gave
    instead; None where nothing differs.
    """

    name: str
    width: int
    height: int
    frames: int | None
    rate: Fraction | None
    duration: float | None
    live: bool
    asked: str | None = None


class Source(Protocol):
    """Frames in their order. `close` may come from another thread while `frames` waits, and then ends it."""

    @property
    def info(self) -> SourceInfo:
        """What is known of it."""

    @property
    def notes(self) -> Sequence[str]:
        """What went wrong, in words; complete when the frames have come to their end."""

    def frames(self) -> Iterator[Frame]:
        """The frames; called once. Raises InputError or a subclass for a source that fails."""

    def close(self) -> None:
        """Let go of file or device, within a few seconds; closing twice is fine."""
