"""The annotated copy of a video: the same pictures at the same times with boxes and names, the same sound.

A thread draws and encodes; `AnnotatedFile.write` waits only when it lies behind. The picture is kept in stretches
beside the copy (`resume`) until all is there; then they are joined with sound and subtitles (`joining`) and the
file gets its name in one step. H.264 in MP4, QuickTime or Matroska, by the name's ending (`picture_stream` says how).
"""

import errno
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from multiface.atomic_write import sync_folder
from multiface.errors import InputError, UsageError
from multiface.images import draw_faces
from multiface.video.copy.joining import CONTAINERS, Part, join
from multiface.video.copy.marks import mark_of
from multiface.video.copy.resume import PartFolder, Resumable, RunKey, Stretch, part_folder, stretch_path
from multiface.video.copy.segments import Segment, Shape
from multiface.video.results import Event, FrameResult
from multiface.video.sources.coded_picture import drawn_copy
from multiface.video.sources.frame import SourceInfo
from multiface.video.sources.local_file import opened_file, video_stream
from multiface.video.sources.pyav import av

_WAITING = 8
_WAITING_BYTES = 100_000_000
_LOOK_AFTER = 0.1


class AnnotatedFile:
    """Writes the copy of one run, as a context manager.

    target: where it goes; an older file there is replaced at the very end. source: the file whose sound and subtitles
    are kept, None for none. info: of the source. similarity: whether it is drawn. begin, duration: as the source was
    opened, in seconds. key: what the run is made from; with it, stopped work can be resumed, without it
    nothing is left behind. resume: what `work_left` gave.

    When the block ends, the file is finished. When it ends by an exception (also KeyboardInterrupt), there is no file,
    and with a key the finished stretches stay in `TARGET.part`. notes: at the end, what of the source could not be
    kept as it was.

    Raises UsageError for a name that cannot be written to, from any method also for a disk that is full.
    """

    def __init__(
        self,
        target: Path,
        source: Path | None,
        info: SourceInfo,
        *,
        similarity: bool = False,
        begin: float = 0.0,
        duration: float | None = None,
        key: RunKey | None = None,
        resume: Resumable | None = None,
    ) -> None:
        container = CONTAINERS.get(target.suffix.lower())
        if container is None:
            raise UsageError(
                f"{target.name}: a video is written as .mp4, .mov or .mkv, got '{target.suffix}'", path=target
            )
        self.notes: list[str] = []
        self._target = target
        self._container = container
        self._source = source
        self._info = info
        self._similarity = similarity
        self._begin, self._duration = begin, duration
        self._key = key
        self._any_finished = resume is not None
        with self._disk():
            if target.is_dir():
                raise UsageError(f"{target.name}: is a folder, wanted the name of a video file", path=target)
            if source is not None and target.exists() and source.exists() and target.samefile(source):
                raise UsageError(
                    f"{target.name}: is the source itself; the copy needs another name", path=target
                )
            self._folder = PartFolder(target, resume)
        self._next_pts = None if resume is None else self._folder.stretches[-1].written.last_pts + 1
        self._has_all = resume is not None and resume.complete
        self._segment: Segment | None = None
        self._start = Fraction(0)
        self._events: list[Event] = []
        self._last: FrameResult | None = None
        pixels = max(info.width * info.height * 3, 1)
        self._waiting: queue.Queue[FrameResult | None] = queue.Queue(
            min(max(_WAITING_BYTES // pixels, 1), _WAITING)
        )
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="annotated file", daemon=True)
        self._thread.start()

    def __enter__(self) -> "AnnotatedFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        finished = False
        try:
            if error is None:
                self._hand_over(None)
                self._thread.join()
                self._raise_failure()
                self._finish()
                finished = True
        finally:
            self._stop.set()
            self._thread.join()
            if self._segment is not None:
                self._segment.discard()
                self._segment = None
            self._folder.close(remove=finished or self._key is None or not self._folder.stretches)

    def write(self, result: FrameResult) -> None:
        """Take the next frame. Raises what writing of earlier ones met."""
        self._hand_over(result)

    def _hand_over(self, result: FrameResult | None) -> None:
        while True:
            self._raise_failure()
            try:
                self._waiting.put(result, timeout=_LOOK_AFTER)
            except queue.Full:
                continue
            return

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    result = self._waiting.get(timeout=_LOOK_AFTER)
                except queue.Empty:
                    continue
                with self._disk():
                    if result is None:
                        self._close_segment(None)
                        return
                    self._add(result)
        except BaseException as error:
            self._failure = error

    def _add(self, result: FrameResult) -> None:
        frame = result.frame
        if self._has_all:
            raise UsageError(
                f"{self._target.name}: all frames are there already; nothing can be added", path=self._target
            )
        if self._folder.shape is None:
            self._folder.begin(self._key, self._shape(result))
        shape = self._folder.shape
        assert shape is not None
        if self._segment is None:
            self._start = frame.pts * frame.time_base - Fraction(frame.time).limit_denominator(1_000_000)
            self._segment = Segment(stretch_path(self._folder.path, len(self._folder.stretches) + 1), shape)
        # Times that stand still or go back, as in broken files, cannot be written.
        pts = frame.pts if self._next_pts is None else max(frame.pts, self._next_pts)
        marks = [mark_of(face, self._similarity) for face in result.faces]
        if frame.coded is not None and (frame.width, frame.height) == (shape.width, shape.height):
            self._segment.write_coded(drawn_copy(frame.coded, marks), pts)
        else:
            self._segment.write(draw_faces(frame.image, marks), pts)
        self._next_pts = pts + 1
        self._events += result.events
        self._last = result
        if result.checkpoint is not None:
            self._close_segment(result.checkpoint)

    def _close_segment(self, state: bytes | None) -> None:
        if self._segment is None:
            return
        assert self._last is not None
        frame = self._last.frame
        written = self._segment.close()
        self._segment = None
        stretch = Stretch(written, frame.number, frame.pts, frame.time, self._start, tuple(self._events))
        self._folder.add(stretch, state)
        self._any_finished = True
        self._events = []

    def _shape(self, result: FrameResult) -> Shape:
        frame = result.frame
        aspect = (
            Fraction(1)
            if self._source is None
            else _pixel_aspect(self._source, self._info.name, frame.width, frame.height)
        )
        return Shape(frame.width, frame.height, frame.time_base, self._info.rate, aspect)

    def _finish(self) -> None:
        stretches, folder = self._folder.stretches, self._folder.path
        if not stretches:
            raise InputError(f"{self._info.name}: gave no frames, so there is no {self._target.name}")
        assert self._folder.shape is not None
        joined = folder / f"joined{self._target.suffix.lower()}"
        with self._disk():
            self._folder.complete()
            self.notes = join(
                joined,
                self._container,
                [(stretch_path(folder, index), one.written) for index, one in enumerate(stretches, 1)],
                self._folder.shape.time_base,
                self._source,
                self._info.name,
                Part(stretches[0].start, self._begin, self._duration),
            )
            joined.replace(self._target)
            sync_folder(self._target.parent)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except (OSError, av.error.FFmpegError) as error:
            why = error.strerror or str(error)
            kept = self._key is not None and self._any_finished
            stays = f"; what is finished stays in {part_folder(self._target).name}" if kept else ""
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            do = ("; make room and run again" if self._key is not None else "; make room") if full else ""
            raise UsageError(
                f"{self._target.name}: cannot be written ({why}){stays}{do}", path=self._target
            ) from error


def _pixel_aspect(source: Path, name: str, width: int, height: int) -> Fraction:
    """Width of a pixel by its height in upright pictures of this size; 1 where they are not the stored ones."""
    with opened_file(source, name) as opened:
        stream = video_stream(opened, name)
        stored = (stream.codec_context.width, stream.codec_context.height)
        aspect = stream.sample_aspect_ratio or Fraction(1)
        turned = False
        for shown in opened.decode(stream):
            turned = shown.rotation % 180 != 0
            break
    if aspect <= 0 or (width, height) != (stored[::-1] if turned else stored):
        return Fraction(1)
    return 1 / aspect if turned else aspect
