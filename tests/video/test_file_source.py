"""Video files made by the command ffmpeg, read and compared with what ffprobe and ffmpeg say of them."""

import io
import json
import os
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest

pytest.importorskip("av", reason="needs PyAV, the extra `video`")
import av

from multiface.errors import InputError, UsageError
from multiface.video.sources.file_source import FileSource, open_file
from multiface.video.sources.frame import Frame

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None,
    reason="needs the commands ffmpeg and ffprobe, which make and judge the videos",
)

X264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"


def ffmpeg(arguments: str, output: Path, raw: bytes | None = None) -> Path:
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", *arguments.split(), str(output)], input=raw, check=True, timeout=60
    )
    return output


def shown_by_ffprobe(path: Path) -> list[int]:
    """pts of the frames of the first video stream, as its best effort."""
    show = "-v error -select_streams v:0 -show_entries frame=best_effort_timestamp -of json"
    done = subprocess.run(["ffprobe", *show.split(), str(path)], capture_output=True, check=True, timeout=60)
    return [frame["best_effort_timestamp"] for frame in json.loads(done.stdout)["frames"]]


def shown_by_ffmpeg(path: Path, width: int, height: int) -> npt.NDArray[np.uint8]:
    """All frames as RGB, turned upright by ffmpeg."""
    arguments = ["-v", "error", "-i", str(path), "-map", "0:v:0", "-fps_mode", "passthrough"]
    done = subprocess.run(
        ["ffmpeg", *arguments, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)


def grey_jpeg(width: int, height: int) -> bytes:
    """A whole JPEG of one grey, made without its pixels: each block of 8 x 8 is the six bits 001010."""
    tiny = io.BytesIO()
    PIL.Image.new("L", (8, 8), 128).save(tiny, "JPEG")
    start = tiny.getvalue()
    size = start.index(b"\xff\xc0") + 5
    scan = start.index(b"\xff\xda") + 10
    blocks = -(-width // 8) * -(-height // 8)
    assert start[scan:-2] == b"\x2b"  # 001010, and ones to fill the byte
    sized = start[:size] + struct.pack(">HH", height, width) + start[size + 4 : scan]
    return sized + b"\x28\xa2\x8a" * (-(-blocks // 4)) + b"\xff\xd9"


def read(source: FileSource) -> list[Frame]:
    try:
        return list(source.frames())
    finally:
        source.close()


def facts(frames: list[Frame]) -> list[tuple[int, int, float]]:
    return [(frame.number, frame.pts, frame.time) for frame in frames]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module")
def uneven(folder: Path) -> Path:
    """Variable rate: of 25 frames a second those whose number is prime to 6 or small; B-frames; GOPs of 20."""
    chosen = "select=lt(n\\,5)+mod(n\\,2)*mod(n\\,3)"
    return ffmpeg(
        f"-f lavfi -i testsrc2=s=160x90:r=25:d=12 -vf {chosen} -fps_mode vfr -c:v libx264 -bf 3 -g 20 "
        "-sc_threshold 0 -pix_fmt yuv420p",
        folder / "uneven.mp4",
    )


@pytest.fixture(scope="module")
def with_tail(folder: Path) -> Path:
    """Two seconds of picture, four of sound."""
    return ffmpeg(
        f"-f lavfi -i testsrc2=s=160x90:r=25:d=2 -f lavfi -i sine=d=4 {X264} -bf 2 -g 12 -c:a aac",
        folder / "tail.mp4",
    )


def remuxed(path: Path, ending: str) -> Path:
    return ffmpeg(f"-i {path} -map 0 -c copy", path.with_suffix(ending))


@needs_ffmpeg
class TestTimes:
    @pytest.mark.parametrize("ending", [".mp4", ".mkv", ".mov", ".ts"])
    def test_variable_rate(self, uneven: Path, ending: str) -> None:
        path = uneven if ending == ".mp4" else remuxed(uneven, ending)
        wanted = shown_by_ffprobe(path)
        source = open_file(path)
        frames = read(source)
        assert [frame.pts for frame in frames] == wanted
        assert len(set(np.diff(wanted))) > 2
        assert [frame.number for frame in frames] == list(range(len(wanted)))
        base = frames[0].time_base
        assert [frame.time for frame in frames] == [float((pts - wanted[0]) * base) for pts in wanted]
        assert source.notes == []
        assert source.skipped == 0

    def test_pictures_are_in_their_order(self, uneven: Path) -> None:
        frames = read(open_file(uneven))
        wanted = shown_by_ffmpeg(uneven, 160, 90)
        assert len(frames) == len(wanted)
        for frame, picture in zip(frames, wanted, strict=True):
            assert np.abs(frame.image.astype(int) - picture).mean() < 2

    def test_what_is_known_beforehand(self, uneven: Path, with_tail: Path) -> None:
        info = open_file(with_tail).info
        assert (info.width, info.height, info.frames, info.live) == (160, 90, 50, False)
        assert info.rate == Fraction(25)
        assert info.duration == pytest.approx(2.0)
        part = open_file(with_tail, begin=0.5, duration=1.0).info
        assert (part.frames, part.duration) == (None, 1.0)
        assert open_file(with_tail, begin=1.5, duration=8.0).info.duration == pytest.approx(0.5)
        assert open_file(uneven).info.frames == len(shown_by_ffprobe(uneven))

    @pytest.mark.parametrize(
        ("begin", "duration"), [(0.0, 0.2), (0.2, None), (1.0, 0.52), (0.04, 0.04), (1.96, 5.0)]
    )
    def test_a_part_by_time(self, with_tail: Path, begin: float, duration: float | None) -> None:
        """At 25 a second frame n is at n / 25: exactly those of the part, also where floats are a little off."""
        frames = read(open_file(with_tail, begin=begin, duration=duration))
        first = round(begin * 25)
        last = 50 if duration is None else min(50, round((begin + duration) * 25))
        assert [round(frame.time * 25) for frame in frames] == list(range(first, last))
        assert [frame.number for frame in frames] == list(range(last - first))
        whole = read(open_file(with_tail))
        for frame, other in zip(frames, whole[first:last], strict=True):
            assert (frame.pts, frame.time) == (other.pts, other.time)
            assert (frame.image == other.image).all()

    @pytest.mark.parametrize("begin", [2.0, 3.0, 50.0])
    def test_where_only_sound_is_left(self, with_tail: Path, begin: float) -> None:
        source = open_file(with_tail, begin=begin)
        with pytest.raises(InputError, match=r"no frame in the part asked for; its last is at 1\.960 s"):
            read(source)

    def test_the_shared_clip(self, shared: Path) -> None:
        path = shared / "data/video/short_hamilton_clip.mp4"
        frames = read(open_file(path))
        assert [frame.pts for frame in frames] == shown_by_ffprobe(path)
        assert len(frames) == 275
        assert (frames[0].pts, frames[0].time, frames[0].time_base) == (10214, 0.0, Fraction(1, 11988))


@needs_ffmpeg
class TestResume:
    MAKE = (
        ("long.mp4", "-c:v libx264 -preset fast -bf 3 -g 20 -pix_fmt yuv420p"),
        ("open.mkv", "-c:v libx264 -preset fast -bf 3 -g 20 -x264-params open-gop=1 -pix_fmt yuv420p"),
        ("x265.mp4", "-c:v libx265 -preset ultrafast -g 20 -x265-params log-level=none -pix_fmt yuv420p"),
        ("vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 20"),
        ("long.ts", "-c:v libx264 -preset fast -bf 2 -g 20 -pix_fmt yuv420p"),
        ("old.mpg", "-c:v mpeg2video -bf 2 -g 15"),
        ("frames.avi", "-c:v libx264 -bf 2 -g 20 -pix_fmt yuv420p"),
        ("bare.h264", "-c:v libx264 -bf 2 -g 20 -pix_fmt yuv420p"),
    )

    @pytest.mark.parametrize(("name", "how"), MAKE, ids=[name for name, _ in MAKE])
    def test_exactly_the_rest(self, folder: Path, name: str, how: str) -> None:
        path = ffmpeg(f"-f lavfi -i testsrc2=s=128x72:r=25:d=4 {how}", folder / name)
        whole = read(open_file(path))
        assert len(whole) == 100
        for k in (0, 1, 18, 19, 20, 21, 57, 98):
            rest = read(open_file(path, after=whole[k].pts, first_number=k + 1))
            assert facts(rest) == facts(whole[k + 1 :])
            for frame, other in zip(rest, whole[k + 1 :], strict=True):
                assert (frame.image == other.image).all()
        assert read(open_file(path, after=whole[-1].pts, first_number=100)) == []

    def test_within_a_part_of_a_file_with_variable_rate(self, uneven: Path) -> None:
        whole = read(open_file(uneven, begin=2.0, duration=6.0))
        for k in range(0, len(whole), 7):
            rest = open_file(uneven, begin=2.0, duration=6.0, after=whole[k].pts, first_number=k + 1)
            assert rest.info == open_file(uneven, begin=2.0, duration=6.0).info
            assert facts(read(rest)) == facts(whole[k + 1 :])

    def test_it_does_not_decode_what_was_before(self, folder: Path) -> None:
        """The quick way is taken: far into a file, the rest comes much sooner than the whole."""
        path = ffmpeg(f"-f lavfi -i testsrc2=s=320x180:r=25:d=30 {X264} -g 25", folder / "quick.mp4")
        begin = time.process_time()
        whole = read(open_file(path))
        all_of_it = time.process_time() - begin
        begin = time.process_time()
        rest = read(open_file(path, after=whole[-2].pts, first_number=len(whole) - 1))
        assert facts(rest) == facts(whole[-1:])
        assert time.process_time() - begin < all_of_it / 3

    def test_a_time_that_is_not_in_the_file(self, uneven: Path) -> None:
        pts = read(open_file(uneven))[40].pts
        with pytest.raises(InputError, match="start anew"):
            read(open_file(uneven, after=pts + 1, first_number=41))


@needs_ffmpeg
class TestMending:
    def test_no_times_of_presentation(self, folder: Path) -> None:
        make = f"-f lavfi -i testsrc2=s=128x72:r=25:d=2 {X264} -bf 2"
        bare = open_file(ffmpeg(make, folder / "none.h264"))
        assert [frame.time for frame in read(bare)] == pytest.approx([n / 25 for n in range(50)])
        assert "without a presentation time" in bare.notes[0]
        assert bare.notes[0].endswith(": 50")
        avi = open_file(ffmpeg(make, folder / "none.avi"))
        assert [frame.time for frame in read(avi)] == pytest.approx([n / 25 for n in range(50)])

    def test_files_joined_end_to_end(self, folder: Path) -> None:
        """The clock of the second begins anew; ours goes on."""
        one = ffmpeg(f"-f lavfi -i testsrc2=s=128x72:r=25:d=2 {X264}", folder / "one.ts")
        both = folder / "both.ts"
        both.write_bytes(one.read_bytes() * 2)
        source = open_file(both)
        frames = read(source)
        times = [frame.time for frame in frames]
        assert len(frames) >= 98
        assert (np.diff(times) > 0).all()
        assert np.median(np.diff(times)) == pytest.approx(0.04)
        assert times[-1] < 4.1
        assert "moved on" in source.notes[-1]
        rest = read(open_file(both, after=frames[70].pts, first_number=71))
        assert facts(rest) == facts(frames[71:])

    @pytest.mark.parametrize("ending", [".mp4", ".mkv", ".ts"])
    def test_cut_off(self, folder: Path, ending: str) -> None:
        fast = " -movflags faststart" if ending == ".mp4" else ""
        whole = ffmpeg(
            f"-f lavfi -i testsrc2=s=320x180:r=25:d=4 {X264} -bf 2 -g 25{fast}", folder / f"whole{ending}"
        )
        all_frames = read(open_file(whole))
        part = folder / f"part{ending}"
        part.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
        source = open_file(part)
        frames = read(source)
        assert 40 < len(frames) < 75
        # In the last frames those may be missing that would have been decoded next.
        assert {frame.pts for frame in frames} <= {frame.pts for frame in all_frames}
        assert facts(frames[:-3]) == facts(all_frames[: len(frames) - 3])
        for frame, other in zip(frames[:-3], all_frames, strict=False):
            assert (frame.image == other.image).all()
        if ending != ".ts":  # which promises no length
            assert "ends early" in source.notes[0]

    def test_broken_bytes_in_the_middle(self, folder: Path) -> None:
        whole = ffmpeg(f"-f lavfi -i testsrc2=s=320x180:r=25:d=4 {X264} -g 10", folder / "whole.mkv")
        data = bytearray(whole.read_bytes())
        for at in range(len(data) // 3, len(data) // 3 + 3000):
            data[at] ^= 0x5A
        broken = folder / "broken.mkv"
        broken.write_bytes(data)
        source = open_file(broken)
        frames = read(source)
        assert 60 < len(frames) <= 100
        assert frames[-1].time == pytest.approx(3.96)
        assert [frame.pts for frame in frames] == sorted({frame.pts for frame in frames})


@needs_ffmpeg
class TestNotUsable:
    def test_no_video(self, folder: Path) -> None:
        sound = ffmpeg("-f lavfi -i sine=d=1 -c:a aac", folder / "sound.m4a")
        with pytest.raises(InputError, match=r"sound\.m4a: has no video stream \(it holds audio\)"):
            open_file(sound)

    def test_a_cover_is_no_video(self, folder: Path) -> None:
        cover = ffmpeg("-f lavfi -i testsrc2=s=64x64:d=0.04 -frames:v 1", folder / "cover.png")
        song = ffmpeg(
            f"-f lavfi -i sine=d=1 -i {cover} -map 0 -map 1 -c:a aac -c:v copy -disposition:v:0 attached_pic",
            folder / "song.m4a",
        )
        assert len(av.open(str(song)).streams.video) == 1
        with pytest.raises(InputError, match="audio and a cover picture"):
            open_file(song)

    def test_a_film_with_a_cover(self, folder: Path, with_tail: Path) -> None:
        cover = ffmpeg("-f lavfi -i testsrc2=s=640x640:d=0.04 -frames:v 1", folder / "large.png")
        film = ffmpeg(
            f"-i {with_tail} -i {cover} -map 1 -map 0:v -c copy -disposition:v:0 attached_pic",
            folder / "film.mp4",
        )
        frames = read(open_file(film))
        assert len(frames) == 50
        assert (frames[0].width, frames[0].height) == (160, 90)

    @pytest.mark.parametrize("sound", ["", "-f lavfi -i sine=d=1"], ids=["alone", "with sound"])
    def test_zero_frames(self, folder: Path, sound: str) -> None:
        make = f"-f lavfi -i testsrc2=s=64x64:d=1 {sound} -c:v mpeg4 -frames:v 0"
        with pytest.raises(InputError, match=r"not one frame .* can be decoded \(the stream is empty\)"):
            open_file(ffmpeg(make, folder / "zero.avi"))
        for ending in (".mkv", ".mp4"):
            with pytest.raises(InputError, match=r"no video stream|End of file|not one frame"):
                open_file(ffmpeg(make, folder / f"zero{ending}"))

    def test_too_large(self, folder: Path) -> None:
        path = folder / "huge.y4m"
        path.write_bytes(b"YUV4MPEG2 W16000 H10000 F25:1 C420jpeg\nFRAME\n" + bytes(1000))
        with pytest.raises(InputError, match="16000 x 10000 are over the limit of 100,000,000 pixels"):
            open_file(path)

    def test_a_frame_that_becomes_too_large_is_not_decoded(self, folder: Path) -> None:
        """A stream of JPEG pictures, whole and grey, the fourth of 162 million pixels in 2 MB."""
        small, path = grey_jpeg(64, 48), folder / "grown.mjpeg"
        for size, wanted in (((10_000, 9_600), 6), ((13_000, 12_500), 5)):
            path.write_bytes(small * 3 + grey_jpeg(*size) + small * 2)
            source = open_file(path)
            sizes = [(frame.width, frame.height) for frame in read(source)]
            assert len(sizes) == wanted and sizes.count((64, 48)) == 5
            assert (size in sizes) is (wanted == 6)
            assert any("1" in note and "skipped" in note for note in source.notes) is (wanted == 5)

    def test_other_files(self, folder: Path, with_tail: Path) -> None:
        def refused(path: Path, why: str) -> None:
            with pytest.raises(InputError, match=why) as caught:
                open_file(path)
            assert path.name.replace("\0", "") in str(caught.value).replace("\0", "")

        refused(folder / "missing.mp4", "no such file")
        refused(folder, "is a folder")
        empty, text, noise = folder / "empty.mp4", folder / "text.txt", folder / "noise.mp4"
        empty.write_bytes(b"")
        refused(empty, "empty")
        text.write_text("Call me Ishmael. Some years ago, never mind how long precisely\n" * 100)
        refused(text, "text, not a video|cannot be opened as a video")
        noise.write_bytes(np.random.default_rng(1).bytes(5000))
        refused(noise, "cannot be opened as a video|no video stream|not one frame")
        headless = folder / "headless.mp4"
        headless.write_bytes(with_tail.read_bytes()[:20000])  # its table of contents is at the end
        refused(headless, "broken, or cut off")
        refused(Path("a\0b"), "cannot be opened")
        if hasattr(os, "mkfifo"):
            os.mkfifo(folder / "pipe")
            refused(folder / "pipe", "not a regular file")

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
    def test_no_permission(self, folder: Path) -> None:
        secret = folder / "secret.mp4"
        secret.write_bytes(b"1")
        secret.chmod(0)
        with pytest.raises(InputError, match="may not be read"):
            open_file(secret)

    def test_times_that_cannot_be_meant(self, with_tail: Path) -> None:
        for begin in (-1.0, float("nan"), float("inf")):
            with pytest.raises(UsageError, match="begin"):
                open_file(with_tail, begin=begin)
        for duration in (0.0, -1.0, float("nan")):
            with pytest.raises(UsageError, match="duration"):
                open_file(with_tail, duration=duration)

    def test_a_playlist_reaches_no_address(self, folder: Path) -> None:
        """A file that names an address does not make the program call there."""
        import socket

        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0.5)
            port = server.getsockname()[1]
            playlist = folder / "list.m3u8"
            playlist.write_text(
                f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n"
            )
            with pytest.raises(InputError):
                open_file(playlist)
            with pytest.raises(TimeoutError):
                server.accept()


@needs_ffmpeg
class TestPictures:
    @pytest.mark.parametrize("degrees", [0, 90, 180, 270])
    def test_rotation(self, folder: Path, degrees: int) -> None:
        flat = ffmpeg(f"-f lavfi -i testsrc2=s=320x180:r=5:d=1 {X264}", folder / "flat.mp4")
        path = ffmpeg(f"-i {flat} -c copy -metadata:s:v rotate={degrees}", folder / f"r{degrees}.mp4")
        source = open_file(path)
        frames = read(source)
        size = (180, 320) if degrees in (90, 270) else (320, 180)
        assert (source.info.width, source.info.height) == size
        wanted = shown_by_ffmpeg(path, *size)  # ffmpeg turns them by itself
        assert len(frames) == 5
        for frame, picture in zip(frames, wanted, strict=True):
            assert (frame.width, frame.height) == size
            assert np.abs(frame.image.astype(int) - picture).mean() < 2

    @pytest.mark.parametrize("mirrored", [False, True])
    @pytest.mark.parametrize("degrees", [0, 90, 180, 270])
    def test_matrices_with_mirrors(self, folder: Path, degrees: int, mirrored: bool) -> None:
        """The matrix written by hand into the file's `tkhd` box; the oracle is where it puts single pixels."""
        flat = ffmpeg("-f lavfi -i testsrc2=s=64x32:r=5:d=0.2 -c:v png -pix_fmt rgb24", folder / "png.mp4")
        turn = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
        a, b, c, d = (-turn[0], -turn[1], turn[2], turn[3]) if mirrored else turn
        data = bytearray(flat.read_bytes())
        plain = b"".join(n.to_bytes(4, "big") for n in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
        at = data.index(plain, data.index(b"tkhd"))
        numbers = (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
        data[at : at + 36] = b"".join(n.to_bytes(4, "big", signed=True) for n in numbers)
        path = folder / f"m{degrees}{mirrored}.mp4"
        path.write_bytes(data)
        before, after = read(open_file(flat))[0].image, read(open_file(path))[0].image
        points = np.array([(a * p + c * q, b * p + d * q) for q in range(32) for p in range(64)])
        points -= points.min(axis=0)
        assert after.shape[:2] == ((64, 32) if degrees in (90, 270) else (32, 64))
        assert (after[points[:, 1], points[:, 0]] == before.reshape(-1, 3)).all()

    @pytest.mark.parametrize(
        ("transfer", "code"), [("smpte2084", "pq"), ("arib-std-b67", "hlg"), ("bt2020-10", "sdr")]
    )
    def test_ten_bits(self, folder: Path, transfer: str, code: str) -> None:
        """A film of 10 bits and BT.2020 in HEVC without loss: greys of known light come out as they should:
        black, 50 cd/m2 (a quarter of white), and reference white; the grey in the middle where it is not HDR."""
        levels = {"pq": (64, 450, 573), "hlg": (64, 500, 721), "sdr": (64, 502, 940)}[code]
        wanted = {"pq": (0, 136, 229), "hlg": (0, 136, 229), "sdr": (0, 128, 255)}[code]
        y = np.repeat(np.array(levels, np.uint16), 64)[np.newaxis].repeat(64, axis=0)
        raw = y.tobytes() + np.full(64 * 192 // 2, 512, np.uint16).tobytes()
        tags = f"colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:range=limited:lossless=1:log-level=none"
        path = ffmpeg(
            "-f rawvideo -pix_fmt yuv420p10le -s 192x64 -r 25 -i - -c:v libx265 -preset ultrafast "
            f"-x265-params {tags}",
            folder / f"{code}.mp4",
            raw * 2,
        )
        for frame in read(open_file(path)):
            patches = frame.image[32, 32::64].astype(int)
            assert np.abs(patches - np.array(wanted)[:, np.newaxis]).max() <= 2, patches

    def test_one_pixel(self, folder: Path) -> None:
        raw = bytes((255, 0, 0)) * 5
        path = ffmpeg(
            "-f rawvideo -pix_fmt rgb24 -s 1x1 -r 5 -i - -c:v ffv1 -pix_fmt bgr0", folder / "one.mkv", raw
        )
        frames = read(open_file(path))
        assert len(frames) == 5
        assert [frame.image.tolist() for frame in frames] == [[[[255, 0, 0]]]] * 5

    def test_eight_thousand_wide(self, folder: Path) -> None:
        path = ffmpeg(f"-f lavfi -i color=0x306090:s=7680x4320:r=25 -frames:v 2 {X264}", folder / "8k.mp4")
        frames = read(open_file(path))
        assert len(frames) == 2
        image = frames[1].image
        assert image.shape == (4320, 7680, 3)
        assert np.abs(image[::500, ::500].astype(int) - (0x30, 0x60, 0x90)).max() < 12

    def test_sizes_that_change(self, folder: Path) -> None:
        """Two streams of another size joined: each frame has its own."""
        parts = [
            ffmpeg(f"-f lavfi -i testsrc2=s={size}:r=5:d=1 {X264}", folder / f"{size}.h264")
            for size in ("64x48", "128x96")
        ]
        path = folder / "sizes.h264"
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
        frames = read(open_file(path))
        assert [(frame.width, frame.height) for frame in frames] == [(64, 48)] * 5 + [(128, 96)] * 5
        assert all(frame.image.shape == (frame.height, frame.width, 3) for frame in frames)


@needs_ffmpeg
class TestClosing:
    def test_twice_and_in_the_middle(self, with_tail: Path) -> None:
        source = open_file(with_tail)
        frames = source.frames()
        first = [next(frames) for _ in range(3)]
        source.close()
        source.close()
        assert list(frames) == []
        assert first[0].image.shape == (90, 160, 3)  # frames outlive their source

    def test_from_another_thread(self, folder: Path) -> None:
        path = ffmpeg(f"-f lavfi -i testsrc2=s=320x180:r=25:d=20 {X264}", folder / "threads.mp4")

        def slowly(source: FileSource, seen: list[int]) -> None:
            for frame in source.frames():
                seen.append(frame.number)
                time.sleep(0.001)

        for delay in (0.0, 0.01, 0.05):
            source = open_file(path)
            seen: list[int] = []
            reader = threading.Thread(target=slowly, args=(source, seen))
            reader.start()
            time.sleep(delay)
            source.close()
            reader.join(3)
            assert not reader.is_alive()
            assert seen == list(range(len(seen)))
            assert len(seen) < 500

    def test_no_open_file_is_left(self, with_tail: Path) -> None:
        held = Path("/proc/self/fd")
        if not held.is_dir():
            pytest.skip("needs /proc")

        def open_files() -> int:
            return sum(1 for link in held.iterdir() if os.path.realpath(link) == os.path.realpath(with_tail))

        for act in (read, lambda source: source.close()):
            run: Callable[[FileSource], object] = act
            run(open_file(with_tail))
            run(open_file(with_tail, begin=1.0))
            assert open_files() == 0

    def test_odd_names(self, folder: Path, with_tail: Path) -> None:
        for name in ("a:b.mp4", "http:x.mp4", "x%03d.mp4", "ä ñ'\"?.mp4", "-f.mp4", "a|b#c.mp4"):
            path = folder / name
            shutil.copy(with_tail, path)
            assert len(read(open_file(path))) == 50
