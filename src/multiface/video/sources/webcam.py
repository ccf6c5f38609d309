"""Webcams, through FFmpeg's devices: v4l2 on Linux, avfoundation on macOS, dshow on Windows.

A camera offers a list of sizes and rates and gives the nearest, or refuses; so what was asked for is tried first,
then less and less of it, and `info.asked` says what was given instead. Compressed pictures (MJPEG) are tried first
where a size is asked for: uncompressed ones pass through USB 2 at full size only a few times a second.
A camera that goes away in the middle of a run is tried again like a stream that broke.
"""

import re
import stat
import sys
from fractions import Fraction
from functools import partial
from pathlib import Path

from multiface.errors import InputError, UsageError
from multiface.images.path_text import path_text
from multiface.video.sources.frame import SourceInfo
from multiface.video.sources.frame_size import pixel_limit
from multiface.video.sources.live_connection import Feed, Patience
from multiface.video.sources.live_source import LiveSource
from multiface.video.sources.pyav import av


def open_webcam(
    device: int | str = 0,
    size: tuple[int, int] | None = None,
    rate: float | None = None,
    patience: Patience | None = None,
    *,
    duration: float | None = None,
) -> LiveSource:
    """A webcam, open and with its first frame there.

    device: its index, from 0, or its name (/dev/video0 on Linux; as FFmpeg names it elsewhere). size: width and
    height, rate: frames a second, that are asked for; what differs is said in `info.asked`.
    duration: seconds after which the source ends.

    Raises UsageError for arguments that cannot be meant; InputError where there is no such camera, it is in use, it
    may not be opened, or gives no picture.
    """
    if isinstance(device, int) and device < 0:
        raise UsageError(f"a webcam's index counts from 0, not {device}")
    if size is not None and min(size) < 1:
        raise UsageError(
            f"a webcam's size is asked for as width and height in pixels, not {size[0]}x{size[1]}"
        )
    if rate is not None and not 0 < rate < float("inf"):
        raise UsageError(f"a webcam's rate is asked for in frames a second, not {rate:g}")
    name = f"webcam {device}" if isinstance(device, int) else path_text(device)
    connect = partial(_connect, device, _wishes(size, rate))
    return LiveSource(Feed(name, connect, partial(_difference, size, rate)), patience, duration)


def _wishes(size: tuple[int, int] | None, rate: float | None) -> list[dict[str, str]]:
    """Options to try one after another, from all that is asked for to nothing."""
    wanted = {} if size is None else {"video_size": f"{size[0]}x{size[1]}"}
    paced = wanted if rate is None else wanted | {"framerate": str(Fraction(rate).limit_denominator(1001))}
    compressed = {"input_format" if sys.platform == "linux" else "vcodec": "mjpeg"}
    tries = [paced, wanted, {}]
    if size is not None and sys.platform != "darwin":
        tries.insert(0, paced | compressed)
    return [one for place, one in enumerate(tries) if one not in tries[:place]]


def _difference(size: tuple[int, int] | None, rate: float | None, info: SourceInfo) -> str | None:
    """What was asked for and what is given, in words; None where nothing differs."""
    said = []
    if size is not None and (info.width, info.height) != size:
        said.append(f"asked for {size[0]}x{size[1]}, given {info.width}x{info.height}")
    if rate is not None and info.rate is not None and abs(float(info.rate) - rate) > 0.02 * rate:
        said.append(f"asked for {rate:g} frames a second, given {float(info.rate):g}")
    return "; ".join(said) or None


def _connect(
    device: int | str, wishes: list[dict[str, str]], limits: tuple[float, float]
) -> av.container.InputContainer:
    if sys.platform == "linux":
        place, system = (f"/dev/video{device}" if isinstance(device, int) else device), "v4l2"
        _check_device(Path(place))
    elif sys.platform == "darwin":
        place, system = str(device), "avfoundation"
    else:
        place, system = f"video={_dshow_name(device)}", "dshow"
    reason = "it cannot be opened"
    for options in wishes:
        try:
            return av.open(
                place,
                format=system,
                options=pixel_limit(),
                container_options=options,
                timeout=limits,
                metadata_errors="replace",
            )
        except PermissionError:
            raise _refused(place) from None
        except av.FFmpegError as error:
            reason = error.strerror or reason
            if isinstance(error, av.ExitError):
                break
    raise InputError(f"{path_text(place)}: {_plain(reason)}", path=place)


def _check_device(path: Path) -> None:
    """Raises InputError where a camera's file is missing, is none, or may not be opened, and says what to do."""
    try:
        mode = path.stat().st_mode
    except PermissionError:
        raise _refused(str(path)) from None
    except OSError:
        there = sorted(one.name for one in Path("/dev").glob("video*") if re.fullmatch(r"video\d+", one.name))
        found = (
            f"there are {', '.join('/dev/' + one for one in there)}" if there else "no camera is connected"
        )
        raise InputError(f"{path_text(path)}: there is no such camera; {found}", path=path) from None
    if not stat.S_ISCHR(mode):
        raise InputError(f"{path_text(path)}: is not a camera device", path=path)
    try:
        path.open("rb").close()
    except PermissionError:
        raise _refused(str(path)) from None
    except OSError as error:
        raise InputError(
            f"{path_text(path)}: {_plain(error.strerror or 'it cannot be opened')}", path=path
        ) from None


def _refused(place: str) -> InputError:
    todo = {
        "linux": "put your account into the group that owns the device (mostly `video`) and log in again",
        "darwin": "allow the terminal to use the camera in System Settings, Privacy & Security",
    }.get(sys.platform, "allow desktop apps to use the camera in the settings of Windows")
    return InputError(
        f"{path_text(place)}: the camera may not be opened (permission denied); {todo}", path=place
    )


def _plain(reason: str) -> str:
    """FFmpeg's word for the commonest trouble, said plainly."""
    if "busy" in reason.lower():
        return "the camera is in use by another program; close that first"
    return f"the camera gives no picture ({reason})"


def _dshow_name(device: int | str) -> str:
    """The name of the camera with an index, on Windows."""
    if isinstance(device, str):
        return device
    if not hasattr(av, "enumerate_input_devices"):
        raise InputError(
            f"webcam {device}: this PyAV cannot list cameras", hint="update it, or give the camera's name"
        )
    cameras = [one.name for one in av.enumerate_input_devices("dshow") if "video" in one.media_types]
    if device >= len(cameras):
        found = f"there are {len(cameras)}: {', '.join(cameras)}" if cameras else "no camera is connected"
        raise InputError(f"webcam {device}: there is no such camera; {found}")
    return cameras[device]
