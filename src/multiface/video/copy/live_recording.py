"""A recording of a live source with boxes and names, each frame at the time at which it came.

Pictures only, no sound. While it runs it is `NAME.part.mkv` (or .mp4, .mov: in fragments) and can be watched up to
about the last two seconds even if the process is killed; at the end it gets its own name, or another one if a file
of that name appeared meanwhile. The first frame sets the size; others are fitted into it.
"""

import queue
import threading
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from multiface.errors import UsageError
from multiface.images import draw_faces
from multiface.video.copy.joining import CONTAINERS
from multiface.video.copy.marks import mark_of
from multiface.video.copy.part_name import PartName
from multiface.video.copy.picture_stream import PictureStream
from multiface.video.copy.written_file import WrittenFile
from multiface.video.results import FrameResult
from multiface.video.sources.pyav import av

_CLOCK = Fraction(1, 1000)
_WAITING = 4
_LOOK_AFTER = 0.1
_OPTIONS = {
    "matroska": {"cluster_time_limit": "1000", "flush_packets": "1"},
    "mp4": {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "1000000"},
    "mov": {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "1000000"},
}


class LiveRecording:
    """Writes one recording, as a context manager. An existing file is not written over.

    similarity: whether it is drawn. `write` never waits: where encoding cannot keep up, the oldest waiting frame is
    left out, and `dropped` counts those. However the block ends, what came until then is kept.
    Raises UsageError for a name that cannot be written to or that another process records into, from any method also
    for a disk that is full; at the end also where the recording had to take another name.
    """

    def __init__(self, target: Path, *, similarity: bool = False) -> None:
        container = CONTAINERS.get(target.suffix.lower())
        if container is None:
            raise UsageError(
                f"{target.name}: a recording is .mkv, .mp4 or .mov, got '{target.suffix}'", path=target
            )
        if target.exists():
            raise UsageError(
                f"{target.name}: is there already, and recordings are not written over",
                path=target,
                hint="take another name",
            )
        self.dropped = 0
        self._target = target
        self._container = container
        self._similarity = similarity
        self._part = target.with_name(f"{target.stem}.part{target.suffix}")
        self._last = -1
        try:
            self._name = PartName(self._part)
            self._file = WrittenFile(self._part, private=False)
        except OSError as error:
            raise self._unwritable(error) from error
        self._output = av.open(
            self._file, "w", format=container, container_options=dict(_OPTIONS[container]), buffer_size=4096
        )
        self._pictures: PictureStream | None = None
        self._waiting: queue.Queue[FrameResult | None] = queue.Queue(_WAITING)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="live recording", daemon=True)
        self._thread.start()

    def __enter__(self) -> "LiveRecording":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._thread.is_alive():
            try:
                self._waiting.put(None, timeout=_LOOK_AFTER)
                break
            except queue.Full:
                continue
        self._thread.join()
        if self._pictures is None:  # nothing came
            self._file.close()
            self._output.close()
            self._name.remove()
        elif self._failure is None:
            try:
                self._pictures.finish()
                self._output.close()
                self._file.finish()
                given = self._name.exchange(self._target)
                if given != self._target:
                    self._failure = UsageError(
                        f"{self._target.name}: another file took this name meanwhile; what was recorded is in "
                        f"{given.name}",
                        path=self._target,
                    )
            except (OSError, av.error.FFmpegError) as failure:
                self._failure = self._unwritable(failure)
        self._file.close()
        self._name.release()
        if self._failure is not None:
            self._output.close()
            if error is None:
                raise self._failure

    def write(self, result: FrameResult) -> None:
        """Take the next frame; without waiting. Raises what writing of earlier ones met."""
        while True:
            if self._failure is not None:
                raise self._failure
            try:
                self._waiting.put_nowait(result)
                return
            except queue.Full:
                try:
                    self._waiting.get_nowait()
                    self.dropped += 1
                except queue.Empty:
                    continue

    def _work(self) -> None:
        try:
            while (result := self._waiting.get()) is not None:
                self._add(result)
        except (OSError, av.error.FFmpegError) as error:
            self._failure = self._unwritable(error)
        except BaseException as error:
            self._failure = error

    def _add(self, result: FrameResult) -> None:
        frame = result.frame
        drawn = draw_faces(frame.image, [mark_of(face, self._similarity) for face in result.faces])
        if self._pictures is None:
            height, width = drawn.shape[:2]
            self._pictures = PictureStream(self._output, width, height, _CLOCK, None, live=True)
        pts = max(round(frame.time / _CLOCK), self._last + 1)
        self._pictures.write(drawn, pts)
        self._file.check()
        self._last = pts

    def _unwritable(self, error: Exception) -> UsageError:
        why = getattr(error, "strerror", None) or str(error)
        kept = f"; what was recorded is in {self._part.name}" if self._last >= 0 else ""
        return UsageError(f"{self._target.name}: cannot be written ({why}){kept}", path=self._target)
