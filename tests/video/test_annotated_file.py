"""The annotated copy: the same frames at the same times, every sound track, whole or not at all.

Sources are made by the ffmpeg command, copies are read with PyAV and ffprobe.
"""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from multiface.decision import Candidate, Decision, Reason
from multiface.errors import InputError, UsageError
from multiface.video.copy.annotated_file import AnnotatedFile
from multiface.video.copy.joining import Part, join
from multiface.video.copy.resume import RunKey
from multiface.video.copy.segments import Written
from multiface.video.results import FrameResult, SeenFace
from multiface.video.sources.file_source import open_file
from multiface.video.sources.frame import Frame, SourceInfo
from multiface.video.sources.opening import SpooledSource

Pixels = npt.NDArray[np.uint8]
needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None, reason="needs ffmpeg and ffprobe"
)
KNOWN = Decision("Anna", Reason.KNOWN, Candidate("Anna", 0.7), None, None)
PICTURE = "-f lavfi -i testsrc2=size=96x64:rate=25:duration=2"
SOUNDS = "-f lavfi -i sine=440:duration=2 -f lavfi -i sine=880:duration=2"


def ffmpeg(arguments: str, *paths: Path) -> None:
    """`{0}`, `{1}` ... in the arguments are the paths."""
    words = [word.format(*paths) for word in arguments.split()]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *words], check=True, stdin=subprocess.DEVNULL)


def results(source: Path, begin: float = 0.0, duration: float | None = None) -> Iterator[FrameResult]:
    """The frames of the file as a source gives them, upright, each with one face."""
    with av.open(str(source)) as opened:
        stream = opened.streams.video[0]
        first: float | None = None
        number = 0
        for picture in opened.decode(stream):
            assert picture.pts is not None and picture.time_base is not None
            at = float(picture.pts * picture.time_base)
            first = at if first is None else first
            if at - first < begin or (duration is not None and at - first >= begin + duration):
                continue
            pixels = picture.to_ndarray(format="rgb24")
            pixels = np.ascontiguousarray(np.rot90(pixels, (picture.rotation // 90) % 4))
            frame = Frame(
                number,
                at - first,
                picture.pts,
                picture.time_base,
                pixels.shape[1],
                pixels.shape[0],
                lambda pixels=pixels: pixels,  # type: ignore[misc]
            )
            number += 1
            face = SeenFace(1, (10, 20, 40, 50), False, None, 0.9, KNOWN)
            yield FrameResult(frame, (face,), (), b"state" if number % 20 == 0 else None)


def copy(source: Path, target: Path, **options: Any) -> AnnotatedFile:
    with AnnotatedFile(target, source, info(), **options) as file:
        for result in results(source, options.get("begin", 0.0), options.get("duration")):
            file.write(result)
    return file


def info() -> SourceInfo:
    return SourceInfo("clip", 96, 64, None, Fraction(25), None, False)


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as opened:
        return [p.pts * p.time_base for p in opened.decode(video=0)]  # type: ignore[operator]


def pictures(path: Path) -> list[Pixels]:
    with av.open(str(path)) as opened:
        return [p.to_ndarray(format="rgb24") for p in opened.decode(video=0)]  # type: ignore[misc]


def probe(path: Path, *what: str) -> Any:
    words = ["ffprobe", "-v", "error", *what, "-of", "json", str(path)]
    return json.loads(subprocess.run(words, check=True, capture_output=True).stdout)


def packets(path: Path, stream: int) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as opened:
        chosen = opened.streams[stream]
        return [(float(p.pts * p.time_base), bytes(p)) for p in opened.demux(chosen) if p.pts is not None]


# ---- times


@needs_ffmpeg
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_real_clip_whose_picture_begins_after_its_sound(shared: Path, tmp_path: Path, suffix: str) -> None:
    source = shared / "data/video/short_hamilton_clip.mp4"
    target = tmp_path / f"copy{suffix}"
    file = copy(source, target)
    tick = Fraction(1, 2000) if suffix == ".mkv" else 0
    before, after = times(source), times(target)
    assert len(before) == len(after) == 275
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) <= tick
    sound, copied = packets(source, 1), packets(target, 1)
    assert [data for _, data in sound] == [data for _, data in copied]
    assert max(abs(a - b) for (a, _), (b, _) in zip(sound, copied, strict=True)) <= 0.0006
    assert file.notes == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [target.name]
    decoded = subprocess.run(["ffmpeg", "-v", "error", "-i", target, "-f", "null", "-"], capture_output=True)
    assert (decoded.returncode, decoded.stderr) == (0, b"")


@needs_ffmpeg
@pytest.mark.parametrize(
    "how",
    [
        "-vf setpts='(N+gt(N,9)*7+gt(N,30)*(N-30)*3)/(25*TB)' -fps_mode vfr -c:v libx264 -bf 3",
        "-c:v libx264 -bf 2 -r 24000/1001",
        "-c:v libx264 -ss 0.5 -output_ts_offset 0.7 -f matroska",
        "-c:v mpeg4 -bf 2",
    ],
)
def test_times_are_equal(tmp_path: Path, how: str) -> None:
    """Variable rate, B-frames, a rate that is not a whole number, a late start in milliseconds."""
    source, target = tmp_path / "source.mp4", tmp_path / "copy.mp4"
    ffmpeg(f"{PICTURE} {how} {{0}}", source)
    copy(source, target)
    assert times(source) == times(target)
    assert len(times(source)) > 30


@needs_ffmpeg
def test_an_edit_list_that_begins_inside(tmp_path: Path) -> None:
    """Cut by copying: the file holds frames and sound from before its beginning that are not shown."""
    whole, source, target = tmp_path / "whole.mp4", tmp_path / "source.mp4", tmp_path / "copy.mp4"
    ffmpeg(f"{PICTURE} {SOUNDS} -map 0 -map 1 -c:v libx264 -g 20 -c:a aac {{0}}", whole)
    ffmpeg("-ss 0.5 -i {0} -c copy {1}", whole, source)
    copy(source, target)
    assert times(source) == times(target)
    shown = [packet for packet in packets(source, 1) if packet[0] >= 0]
    copied = [packet for packet in packets(target, 1) if packet[0] >= 0]
    assert [data for _, data in shown] == [data for _, data in copied]


@needs_ffmpeg
def test_a_broadcast_clock_begins_at_zero_and_sound_stays_in_step(tmp_path: Path) -> None:
    source, target = tmp_path / "source.ts", tmp_path / "copy.mp4"
    ffmpeg(f"{PICTURE} {SOUNDS} -map 0 -map 1 -c:v libx264 -c:a aac {{0}}", source)
    copy(source, target)
    before, after = times(source), times(target)
    assert before[0] > 1 and [t - before[0] for t in before] == [t - after[0] for t in after]
    sound, copied = packets(source, 1)[0][0], packets(target, 1)[0][0]
    assert sound - before[0] == pytest.approx(copied - after[0], abs=1e-4)
    assert min(float(after[0]), copied) == pytest.approx(0, abs=0.001)


@needs_ffmpeg
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_part_is_cut_in_step(tmp_path: Path, suffix: str) -> None:
    source, target = tmp_path / "source.mp4", tmp_path / f"copy{suffix}"
    (tmp_path / "words.srt").write_text("1\n00:00:00,300 --> 00:00:01,100\nWords\n")
    ffmpeg(
        f"{PICTURE} {SOUNDS} -i {{1}} -map 0 -map 1 -map 3 -c:v libx264 -c:a aac -c:s mov_text {{0}}",
        source,
        tmp_path / "words.srt",
    )
    copy(source, target, begin=0.5, duration=1.0)
    after = times(target)
    assert len(after) == 25 and after[0] == pytest.approx(0.02, abs=1e-3)  # the first frame after 0.5 is 0.52
    ends = {data: at for at, data in packets(source, 1)}
    for at, data in packets(target, 1):
        assert at == pytest.approx(ends[data] - 0.5, abs=0.001)
        assert -0.001 <= at < 1
    words = [
        packet
        for packet in probe(target, "-show_packets", "-select_streams", "s")["packets"]
        if int(packet["size"]) > 2
    ]
    assert [(float(w["pts_time"]), float(w["duration_time"])) for w in words] == [
        (pytest.approx(0, abs=0.002), pytest.approx(0.6, abs=0.002))
    ]


# ---- sound, subtitles, descriptions


@needs_ffmpeg
@pytest.mark.parametrize(
    ("ending", "codecs", "target", "wanted"),
    [
        (".mp4", ("aac", "aac"), ".mp4", None),
        (".mkv", ("libopus", "flac"), ".mkv", None),
        (".mkv", ("ac3", "libmp3lame"), ".mkv", None),
        (".mkv", ("libvorbis", "pcm_s16le"), ".mkv", None),
        (".mkv", ("libopus", "flac"), ".mp4", None),
        (".mkv", ("ac3", "libmp3lame"), ".mp4", None),
        (".mkv", ("libvorbis", "pcm_s16le"), ".mp4", ["aac", "aac"]),
        (".mkv", ("libvorbis", "pcm_s16le"), ".mov", ["aac", "pcm_s16le"]),
        (".avi", ("libmp3lame", "pcm_u8"), ".mp4", ["mp3", "aac"]),
    ],
)
def test_every_sound_track_is_kept(
    tmp_path: Path, ending: str, codecs: tuple[str, str], target: str, wanted: list[str] | None
) -> None:
    source, made = tmp_path / f"source{ending}", tmp_path / f"copy{target}"
    ffmpeg(
        f"{PICTURE} {SOUNDS} -map 0 -map 1 -map 2 -c:v libx264 -bf 0 -c:a:0 {codecs[0]} -c:a:1 {codecs[1]}"
        " -metadata:s:a:0 language=eng -metadata:s:a:1 language=spa {0}",
        source,
    )
    file = copy(source, made)
    names = [codec for codec, _ in sounds(source)]
    assert [codec for codec, _ in sounds(made)] == (wanted or names)
    assert len(file.notes) == sum(a != b for a, b in zip(names, wanted or names, strict=True))
    if ending != ".avi":
        assert [language for _, language in sounds(made)] == ["eng", "spa"]
    assert len(times(made)) == len(times(source)) == 50
    for index in (1, 2):
        if wanted is None:
            assert [d for _, d in packets(source, index)] == [d for _, d in packets(made, index)]
        heard = loudest_tone(made, index)
        assert heard[0] == pytest.approx(440 * index, abs=5)
        assert heard[1] == pytest.approx(2.0, abs=0.08)


@needs_ffmpeg
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_that_is_announced_and_never_comes(tmp_path: Path, suffix: str) -> None:
    whole, source, target = tmp_path / "whole.ts", tmp_path / "source.ts", tmp_path / f"copy{suffix}"
    ffmpeg(f"{PICTURE} {SOUNDS} -map 0 -map 1 -c:v libx264 -c:a aac {{0}}", whole)
    data = whole.read_bytes()
    cells = [data[at : at + 188] for at in range(0, len(data), 188)]
    source.write_bytes(b"".join(c for c in cells if int.from_bytes(c[1:3], "big") & 0x1FFF != 0x101))
    file = copy(source, target)
    assert len(times(target)) == 50 and sounds(target) == []
    assert file.notes == ["sound track 1 (aac) is left out: it is announced, but no sound of it was found"]


@needs_ffmpeg
def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    source, cover, words = tmp_path / "source.mkv", tmp_path / "cover.png", tmp_path / "words.txt"
    words.write_text("words")
    ffmpeg("-f lavfi -i color=s=16x16:d=1 -frames:v 1 {0}", cover)
    ffmpeg(
        f"{PICTURE} {PICTURE} -f lavfi -i anoisesrc=d=2 -map 0 -map 1 -map 2 -c:v libx264 -c:a pcm_s16le"
        " -af pan=quad|c0=c0|c1=c0|c2=c0|c3=c0 -attach {1} -metadata:s:3 mimetype=image/png"
        " -attach {2} -metadata:s:4 mimetype=text/plain {0}",
        source,
        cover,
        words,
    )
    assert copy(source, tmp_path / "copy.mp4").notes == [
        "video track 1 is left out: the copy shows track 0",
        "sound track 2 (pcm_s16le) becomes AAC: mp4 cannot hold it; of its 4 channels 2 are left",
        "cover picture 3 is left out",
        "attachment 4 (words.txt) is left out: mp4 cannot hold it",
    ]


@needs_ffmpeg
@pytest.mark.parametrize(
    ("source_kind", "suffix"), [("mp4 mov_text", ".mp4"), ("mkv subrip", ".mp4"), ("mkv subrip", ".mkv")]
)
def test_subtitles_end_with_a_part(tmp_path: Path, source_kind: str, suffix: str) -> None:
    ending, kind = source_kind.split()
    source, target, words = tmp_path / f"source.{ending}", tmp_path / f"copy{suffix}", tmp_path / "words.srt"
    words.write_text("1\n00:00:00,700 --> 00:00:01,900\nWords\n")
    ffmpeg(f"{PICTURE} -i {{1}} -c:v libx264 -c:s {kind} {{0}}", source, words)
    copy(source, target, begin=0.5, duration=0.6)
    words_shown = [
        (float(packet["pts_time"]), float(packet["duration_time"]))
        for packet in probe(target, "-show_packets", "-select_streams", "s")["packets"]
        if int(packet["size"]) > 2
    ]
    assert words_shown == [(pytest.approx(0.2, abs=0.002), pytest.approx(0.4, abs=0.002))]


@needs_ffmpeg
def test_a_playlist_reaches_no_address(tmp_path: Path) -> None:
    """A local file that names an address does not make the program call there, also not for its sound."""
    source, piece = tmp_path / "list.m3u8", tmp_path / "piece.ts"
    ffmpeg(f"{PICTURE} -c:v libx264 {{0}}", piece)
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls: list[object] = []

        def count() -> None:
            with suppress(OSError):
                while True:
                    called, address = server.accept()
                    calls.append(address)
                    called.close()

        counting = threading.Thread(target=count, daemon=True)
        counting.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/piece.ts"
        playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n"
        source.write_text(playlist.format("piece.ts"))
        opened = open_file(source)
        shown = [FrameResult(frame, (), ()) for frame in opened.frames()]
        opened.close()
        source.write_text(playlist.format(address))
        with pytest.raises(InputError), AnnotatedFile(tmp_path / "copy.mp4", source, info()) as file:
            for one in shown:
                file.write(one)
        with pytest.raises(InputError):
            join(
                tmp_path / "joined.mp4",
                "mp4",
                [(piece, Written(50, 0, 49, 1))],
                Fraction(1, 25),
                source,
                "list",
                Part(Fraction(0), 0, None),
            )
        server.shutdown(socket.SHUT_RDWR)
        counting.join(5)
        assert calls == []


@needs_ffmpeg
def test_the_sound_of_a_source_that_is_closed(tmp_path: Path) -> None:
    """As the engine has it: the source is closed when its frames end, its sound is read afterwards."""
    clip, target = tmp_path / "clip.mp4", tmp_path / "copy.mp4"
    ffmpeg(f"{PICTURE} {SOUNDS} -map 0 -map 1 -c:v libx264 -c:a aac {{0}}", clip)
    source = SpooledSource("clip", lambda folder: shutil.copy(clip, folder / "spooled"), open_file, None)
    with AnnotatedFile(target, source.path, source.info) as file:
        for frame in source.frames():
            file.write(FrameResult(frame, (), ()))
        source.close()
    source.dispose()
    assert len(sounds(target)) == 1


def sounds(path: Path) -> list[tuple[str, str | None]]:
    """Codec and language of each sound track."""
    with av.open(str(path)) as opened:
        names = [
            (stream.codec_context.codec.canonical_name, stream.language) for stream in opened.streams.audio
        ]
        assert len(names) + len(opened.streams.video) == len(opened.streams)
        return names


def loudest_tone(path: Path, stream: int) -> tuple[float, float]:
    """Hertz and the seconds that it lasts."""
    resampler = av.AudioResampler("flt", "mono", 8000)
    with av.open(str(path)) as opened:
        parts = [
            part.to_ndarray()[0]
            for frame in opened.decode(opened.streams[stream])
            for part in resampler.resample(frame)  # type: ignore[arg-type]
        ]
    sound = np.concatenate(parts)
    spectrum = np.abs(np.fft.rfft(sound[: len(sound) // 2]))
    return float(spectrum.argmax() * 8000 / (len(sound) // 2)), len(sound) / 8000


@needs_ffmpeg
@pytest.mark.parametrize(
    ("source_kind", "target_kind", "codec"),
    [
        ("mp4 mov_text", "mp4", "mov_text"),
        ("mkv subrip", "mkv", "subrip"),
        ("mkv subrip", "mp4", "mov_text"),
        ("mp4 mov_text", "mkv", "subrip"),
        ("mkv ass", "mov", "mov_text"),
    ],
)
def test_subtitles_titles_and_chapters(
    tmp_path: Path, source_kind: str, target_kind: str, codec: str
) -> None:
    ending, kind = source_kind.split()
    source, target = tmp_path / f"source.{ending}", tmp_path / f"copy.{target_kind}"
    words, about = tmp_path / "words.srt", tmp_path / "about.txt"
    words.write_text(
        "1\n00:00:00,400 --> 00:00:01,000\nGrüße, <i>alle</i>\n\n2\n00:00:01,200 --> 00:00:01,600\nzwei\nZeilen\n",
        encoding="utf-8",
    )
    chapter = "[CHAPTER]\nTIMEBASE=1/1000\nSTART={}\nEND={}\ntitle={}\n"
    about.write_text(
        ";FFMETADATA1\ntitle=My film\n" + chapter.format(0, 800, "One") + chapter.format(800, 2000, "Two")
    )
    ffmpeg(
        f"{PICTURE} -i {{1}} -i {{2}} -map 0 -map 1 -map_metadata 2 -c:v libx264 -c:s {kind}"
        " -metadata:s:s:0 language=ger {0}",
        source,
        words,
        about,
    )
    copy(source, target)
    (subtitle,) = (s for s in probe(target, "-show_streams")["streams"] if s["codec_type"] == "subtitle")
    assert subtitle["codec_name"] == codec and subtitle["tags"]["language"] == "ger"
    shown = tmp_path / "shown.srt"
    ffmpeg("-i {0} -map 0:s -c:s subrip {1}", target, shown)
    text = shown.read_text(encoding="utf-8")
    assert "Grüße, <i>alle</i>" in text and "zwei\nZeilen" in text
    assert "00:00:00,400 --> 00:00:01,000" in text and "00:00:01,200 --> 00:00:01,600" in text
    described = probe(target, "-show_chapters", "-show_format")
    assert [
        (c["tags"]["title"], float(c["start_time"]), float(c["end_time"])) for c in described["chapters"]
    ] == [
        ("One", 0, 0.8),
        ("Two", 0.8, 2),
    ]
    tags = {key.lower(): value for key, value in described["format"]["tags"].items()}
    assert tags["title"] == "My film"


# ---- pictures


@needs_ffmpeg
def test_pictures_stay_and_are_marked_bt709(tmp_path: Path) -> None:
    source, target = tmp_path / "source.mp4", tmp_path / "copy.mp4"
    ffmpeg(
        "-f lavfi -i testsrc2=size=320x240:rate=5:duration=1 -c:v libx264 -qp 1 -pix_fmt yuv444p {0}", source
    )
    copy(source, target)
    (stream,) = probe(target, "-show_streams")["streams"]
    assert [stream[key] for key in ("color_space", "color_transfer", "color_primaries", "color_range")] == [
        "bt709",
        "bt709",
        "bt709",
        "tv",
    ]
    assert stream["codec_name"] == "h264" and stream["pix_fmt"] == "yuv420p"
    drawn, plain = pictures(target)[2].astype(int), pictures(source)[2].astype(int)
    away = np.ones((240, 320), bool)
    away[:60, :80] = False
    assert np.abs(drawn - plain)[away].mean() < 6
    assert np.abs(drawn - plain)[18:52, 8:42].max() > 100, "the box"


@needs_ffmpeg
def test_high_definition_keeps_its_pixels(tmp_path: Path) -> None:
    """Without a way over RGB: colour as fine as the source's, and only the encoder's loss beside the marks."""
    source, target = tmp_path / "source.mp4", tmp_path / "copy.mp4"
    ffmpeg("-f lavfi -i testsrc2=size=1280x720:rate=5:duration=1 -qp 1 -pix_fmt yuv420p {0}", source)
    with closing(open_file(source)) as frames, AnnotatedFile(target, source, frames.info) as file:
        for frame, marked in zip(frames.frames(), results(source), strict=True):
            file.write(FrameResult(frame, marked.faces, ()))
    with av.open(str(source)) as first, av.open(str(target)) as second:
        for was, now in zip(first.decode(video=0), second.decode(video=0), strict=True):
            assert now.colorspace == 1 and now.color_range == 1
            difference = np.abs(now.to_ndarray().astype(int) - was.to_ndarray())
            # The box lies in the upper left corner: of luma in the rows up to 60, of colour up to 30.
            assert difference[100:720].mean() < 0.8 and difference[760:].mean() < 1.0


@needs_ffmpeg
@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_source_gives_an_upright_copy(
    tmp_path: Path, turn: Callable[[Path, Path, int], None], rotation: int
) -> None:
    flat, source, target = tmp_path / "flat.mp4", tmp_path / "source.mp4", tmp_path / "copy.mp4"
    ffmpeg("-f lavfi -i testsrc2=size=96x64:rate=5:duration=1 -vf setsar=4/3 -c:v libx264 {0}", flat)
    turn(flat, source, rotation)
    copy(source, target)
    with av.open(str(target)) as opened:
        shown = next(opened.decode(video=0))
        aspect = opened.streams.video[0].sample_aspect_ratio
    assert shown.rotation == 0
    assert (shown.width, shown.height) == ((96, 64) if rotation == 180 else (64, 96))
    assert aspect == (Fraction(4, 3) if rotation == 180 else Fraction(3, 4))
    wanted = next(results(source)).frame.image.astype(int)
    assert np.abs(shown.to_ndarray(format="rgb24").astype(int) - wanted).mean() < 40  # type: ignore[call-overload]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 3), (97, 64), (96, 63), (33, 31)])
def test_odd_sizes_get_one_more_pixel(tmp_path: Path, width: int, height: int) -> None:
    target = tmp_path / "copy.mp4"
    picture = np.full((height, width, 3), (200, 60, 30), np.uint8)
    with AnnotatedFile(target, None, info()) as file:
        for number in range(3):
            file.write(made_up(number, picture))
    for shown in pictures(target):
        assert shown.shape == (height + height % 2, width + width % 2, 3)
        assert np.abs(shown.astype(int) - (200, 60, 30)).max() < 12
    assert times(target) == [0, Fraction(1, 25), Fraction(2, 25)]


def made_up(number: int, picture: Pixels, checkpoint: bytes | None = None) -> FrameResult:
    height, width = picture.shape[:2]
    frame = Frame(number, number / 25, number, Fraction(1, 25), width, height, lambda: picture)
    return FrameResult(frame, (), (), checkpoint)


def test_a_change_of_size_is_fitted_into_the_first(tmp_path: Path) -> None:
    target = tmp_path / "copy.mp4"
    with AnnotatedFile(target, None, info()) as file:
        file.write(made_up(0, np.full((60, 100, 3), 200, np.uint8)))
        file.write(made_up(1, np.full((60, 40, 3), 200, np.uint8)))
    first, second = pictures(target)
    assert first.shape == second.shape == (60, 100, 3)
    assert second[30, 50].min() > 180 and second[30, 5].max() < 20 and second[30, 95].max() < 20


def test_a_change_of_size_in_high_definition(tmp_path: Path) -> None:
    """Decoded pictures are copied where they have the first one's size; others are fitted into it all the same."""
    target = tmp_path / "copy.mp4"
    with AnnotatedFile(target, None, info()) as file:
        for number, width in enumerate((100, 40, 100)):
            grey = av.VideoFrame.from_ndarray(np.full((60, width, 3), 200, np.uint8)).reformat(
                format="yuv420p", dst_colorspace=1, dst_color_range=1
            )
            one = made_up(number, np.full((60, width, 3), 200, np.uint8))
            one.frame.coded = grey
            file.write(one)
    first, second, third = pictures(target)
    assert first.shape == second.shape == third.shape == (60, 100, 3)
    assert second[30, 50].min() > 180 and second[30, 5].max() < 20 and second[30, 95].max() < 20
    assert first.min() > 180 and third.min() > 180


def test_times_that_stand_still_or_go_back(tmp_path: Path) -> None:
    target = tmp_path / "copy.mp4"
    with AnnotatedFile(target, None, info()) as file:
        for pts in (0, 3, 3, 2, 9):
            frame = made_up(0, np.zeros((64, 96, 3), np.uint8), b"state" if pts == 3 else None)
            frame.frame.pts = pts
            file.write(frame)
    assert [time * 25 for time in times(target)] == [0, 3, 4, 5, 9]


# ---- whole or not at all


def test_an_older_copy_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "copy.mp4"
    target.write_bytes(b"older")
    with pytest.raises(KeyboardInterrupt), AnnotatedFile(target, None, info()) as file:
        file.write(made_up(0, np.zeros((64, 96, 3), np.uint8), b"state"))
        raise KeyboardInterrupt
    assert target.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [target], "without a key there is nothing to go on with"
    with AnnotatedFile(target, None, info()) as file:
        file.write(made_up(0, np.zeros((64, 96, 3), np.uint8)))
    assert len(times(target)) == 1
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask


def test_an_interruption_ends_it_at_once(tmp_path: Path) -> None:
    big = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    begun = 0.0
    with pytest.raises(KeyboardInterrupt), AnnotatedFile(tmp_path / "copy.mp4", None, info()) as file:
        for number in range(6):
            file.write(made_up(number, big))
        begun = time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - begun < 3
    assert list(tmp_path.iterdir()) == []
    assert not any(thread.name == "annotated file" for thread in threading.enumerate())


def test_no_frames_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="gave no frames"),
        AnnotatedFile(tmp_path / "copy.mp4", None, info()),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_frame_that_fails_reaches_the_caller(tmp_path: Path) -> None:
    def fail() -> Pixels:
        raise InputError("no such picture")

    frame = Frame(0, 0.0, 0, Fraction(1, 25), 8, 8, fail)
    with (
        pytest.raises(InputError, match="no such picture"),
        AnnotatedFile(tmp_path / "a.mp4", None, info()) as file,
    ):
        file.write(FrameResult(frame, (), ()))
    assert list(tmp_path.iterdir()) == []


@needs_ffmpeg
def test_a_source_that_is_gone_when_its_sound_is_wanted(tmp_path: Path) -> None:
    source, target = tmp_path / "source.mp4", tmp_path / "copy.mp4"
    ffmpeg(f"{PICTURE} {SOUNDS} -map 0 -map 1 -c:v libx264 -c:a aac {{0}}", source)
    with (
        pytest.raises(
            InputError, match="clip: there is no such file; so it cannot be read again for its sound"
        ),
        AnnotatedFile(target, source, info()) as file,
    ):
        for result in results(source):
            file.write(result)
        source.unlink()
    assert list(tmp_path.iterdir()) == []


def test_names_that_cannot_be_meant(tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    source.write_bytes(b"film")
    with pytest.raises(UsageError, match=r"\.mp4, \.mov or \.mkv"):
        AnnotatedFile(tmp_path / "copy.avi", None, info())
    with pytest.raises(UsageError, match="is the source itself"):
        AnnotatedFile(source, source, info())
    key = RunKey(4, 0, "", 0.0, None, (), "", "")
    with pytest.raises(UsageError, match=r"cannot be written \(No such file or directory\)$"):
        AnnotatedFile(tmp_path / "no" / "copy.mp4", None, info(), key=key)
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        AnnotatedFile(tmp_path / "folder.mp4", None, info())
    (tmp_path / "x.mp4.part").mkdir()
    (tmp_path / "x.mp4.part" / "letters.txt").write_text("mine")
    with pytest.raises(UsageError, match="not from MultiFace"):
        AnnotatedFile(tmp_path / "x.mp4", None, info())
    assert (tmp_path / "x.mp4.part" / "letters.txt").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="no lock on Windows")
def test_two_runs_do_not_write_one_copy(tmp_path: Path) -> None:
    target = tmp_path / "copy.mp4"
    with AnnotatedFile(target, None, info()) as file:
        with pytest.raises(UsageError, match="another process is writing"):
            AnnotatedFile(target, None, info())
        file.write(made_up(0, np.zeros((64, 96, 3), np.uint8)))
    assert len(times(target)) == 1


def test_a_name_that_ffmpeg_would_take_for_an_address(tmp_path: Path) -> None:
    target = tmp_path / "file:%03d copy é.mp4"
    with AnnotatedFile(target, None, info()) as file:
        file.write(made_up(0, np.zeros((64, 96, 3), np.uint8)))
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


REFUSED = """
import os
import sys
from fractions import Fraction
from pathlib import Path
from multiface.errors import UsageError
from multiface.video.copy.annotated_file import AnnotatedFile
from multiface.video.sources.frame import SourceInfo
if os.geteuid() == 0:
    os.setuid(65534)
try:
    AnnotatedFile(Path(sys.argv[1]), None, SourceInfo("clip", 96, 64, None, Fraction(25), None, False))
except UsageError as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs file modes")
def test_a_folder_that_may_not_be_written_to() -> None:
    with tempfile.TemporaryDirectory() as name:  # not below `tmp_path`, which others may not enter
        folder = Path(name)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", REFUSED, str(folder / "copy.mp4")], capture_output=True, text=True
        )
        assert done.stderr.startswith("copy.mp4: cannot be written (Permission denied)")
        assert list(folder.iterdir()) == []
        folder.chmod(0o755)
