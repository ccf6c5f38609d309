"""A video file on the disk, opened for FFmpeg so that nothing else can be reached through it.

Playlists and the like may name other local files, no addresses. Every place of the room that opens a file of the
user's opens it here.
"""

import stat
from pathlib import Path

from multiface.errors import InputError, about
from multiface.regular_file import open_regular
from multiface.video.sources.frame_size import over_limit, pixel_limit
from multiface.video.sources.pyav import av

_OPTIONS = {"protocol_whitelist": "file,crypto,data"}
_LETTERS = frozenset({"tty", "bin", "xbin", "adf", "idf"})  # FFmpeg shows any text as a film of its letters


def opened_file(path: Path, name: str) -> "av.container.InputContainer":
    """The file, open. name: for messages. Raises InputError for what is no regular file or cannot be opened."""
    with about(path):
        return _opened(path, name)


def _opened(path: Path, name: str) -> "av.container.InputContainer":
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{name}: is a folder, not a video file")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(
                f"{name}: is not a regular file", hint="pipe it into standard input and name that (-)"
            )
        if status.st_size == 0:
            raise InputError(f"{name}: is empty (0 bytes)")
        open_regular(path).close()  # also refuses a gallery in use
        # "file:" keeps FFmpeg from taking a name with a colon for an address.
        return av.open(f"file:{path}", "r", options=_OPTIONS | pixel_limit(), metadata_errors="replace")
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file") from error
    except PermissionError as error:
        raise InputError(f"{name}: may not be read", hint="check the file's permissions") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:  # ValueError: a null character in the path
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"{name}: cannot be opened as a video ({why}); it is of another kind, broken, or cut off"
        ) from error


def video_stream(container: "av.container.InputContainer", name: str) -> "av.VideoStream":
    """The video track whose pictures are shown, ready to be decoded; never a cover picture.

    name: for messages. Raises InputError where there is none, or its pictures are too large.
    """
    if container.format.name in _LETTERS:
        raise InputError(f"{name}: is text, not a video")
    videos = [stream for stream in container.streams.video if not is_cover(stream)]
    if not videos:
        kinds = sorted({stream.type for stream in container.streams if stream.type != "video"})
        cover = " and a cover picture" if container.streams.video else ""
        held = ", ".join(kinds) or "nothing that is known"
        raise InputError(f"{name}: has no video stream (it holds {held}{cover})")
    best = container.streams.best("video")
    stream = next((video for video in videos if video is best), videos[0])
    context = stream.codec_context
    if context is None:
        raise InputError(
            f"{name}: this FFmpeg has no decoder for its video", hint="convert it to H.264 first"
        )
    too_large = over_limit(context.width, context.height)
    if too_large is not None:
        raise InputError(f"{name}: {too_large}")
    context.thread_type = "AUTO"
    context.options = pixel_limit()
    return stream


def is_cover(stream: "av.VideoStream") -> bool:
    """Whether it is a picture about the film, as covers and thumbnails are, and not the film."""
    pictures = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    return bool(stream.disposition & pictures)
