"""Stretches of the annotated picture and the tracks of the source, put together by copying packets.

The copy keeps the clock of its source where that begins within its first second (then times are equal to the tick);
where it begins later, as in broadcast, the copy begins at 0. A copy of a part begins at 0 as well. Matroska counts
milliseconds: there times are rounded to them.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from multiface.errors import InputError
from multiface.video.copy.carried_tracks import CarriedTracks
from multiface.video.copy.copied_part import Cut
from multiface.video.copy.picture_stream import clock
from multiface.video.copy.segments import Written
from multiface.video.copy.written_file import WrittenFile
from multiface.video.sources.local_file import opened_file
from multiface.video.sources.pyav import av

CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
_LATEST_START = Fraction(1)
_COARSEST_MP4_CLOCK = 10_000
_MADE_BY_CONTAINERS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of the source is copied. start: the container's time, in seconds, of the source's time 0. begin,
    duration: seconds in the source; 0 and None for all of it."""

    start: Fraction
    begin: float
    duration: float | None


def join(
    target: Path,
    container: str,
    segments: Sequence[tuple[Path, Written]],
    time_base: Fraction,
    source: Path | None,
    name: str,
    part: Part,
) -> list[str]:
    """Write `target` (overwriting) from stretches in their order and the source's tracks; notes in words.

    container: a value of CONTAINERS. time_base: of the stretches' `first_pts`. source: None for no tracks. name: what
    messages call it. The result is read again and its pictures counted. Raises OSError for the disk, InputError for
    what cannot be joined.
    """
    if source is None:
        return _join(target, container, segments, time_base, None, Cut(Fraction(0), None, None))
    try:
        opened = opened_file(source, name)
    except InputError as error:
        raise InputError(f"{error}; so it cannot be read again for its sound") from error
    with opened:
        first = segments[0][1].first_pts * time_base
        return _join(
            target, container, segments, time_base, (opened, name), _cut(opened, first, time_base, part)
        )


def _cut(source: "av.container.InputContainer", first: Fraction, time_base: Fraction, part: Part) -> Cut:
    if part.begin > 0 or part.duration is not None:
        begin = part.start + Fraction(part.begin).limit_denominator(1_000_000)
        end = None if part.duration is None else begin + Fraction(part.duration).limit_denominator(1_000_000)
    else:
        begin, end = None, None
    if part.begin > 0:
        assert begin is not None
        return Cut(_snapped(min(begin, first), time_base), begin, end)
    start = min(first, Fraction(source.start_time or 0, av.time_base))
    origin = _snapped(start, time_base) if start > _LATEST_START else min(first, Fraction(0))
    return Cut(origin, None, end)


def _snapped(time: Fraction, time_base: Fraction) -> Fraction:
    """A whole number of ticks, so that picture times stay exact."""
    return (time // time_base) * time_base


def _join(
    target: Path,
    container: str,
    segments: Sequence[tuple[Path, Written]],
    time_base: Fraction,
    source: "tuple[av.container.InputContainer, str] | None",
    cut: Cut,
) -> list[str]:
    ticks = clock(time_base)
    file = WrittenFile(target, private=False)
    output = av.open(file, "w", format=container, container_options=_options(container, ticks))
    try:
        with segments[0][0].open("rb") as template_file, av.open(template_file, "r") as template:
            pictures = output.add_stream_from_template(template.streams.video[0])
            pictures.time_base = ticks
            pictures.disposition = av.stream.Disposition.default
            tracks = None
            if source is not None:
                opened, name = source
                tracks = CarriedTracks(opened, name, output, container, cut)
                _copy_description(opened, output, cut)
            output.start_encoding()
        streams = [_pictures(segments, time_base, cut.origin, pictures, ticks)]
        if tracks is not None:
            streams.append(tracks.packets())
        for _, packet in heapq.merge(*streams, key=lambda timed: timed[0]):
            output.mux(packet)
            file.check()
        output.close()
        file.finish()
    except BaseException:
        file.close()
        output.close()
        raise
    _check(target, sum(written.frames for _, written in segments))
    return [] if tracks is None else tracks.notes


def _options(container: str, ticks: Fraction) -> dict[str, str]:
    """MP4 notes the start of a track in ticks of the whole file, of which FFmpeg makes 1,000 a second: too coarse."""
    if container == "matroska":
        return {}
    scale = ticks.denominator
    while scale < _COARSEST_MP4_CLOCK:
        scale *= 2
    return {"movie_timescale": str(scale)}


def _pictures(
    segments: Sequence[tuple[Path, Written]],
    time_base: Fraction,
    origin: Fraction,
    stream: "av.VideoStream",
    ticks: Fraction,
) -> Iterator[tuple[Fraction, "av.Packet[Any]"]]:
    """Packets of all stretches with their times in the copy. One is held back, to know how long it lasts."""
    held: av.Packet[av.VideoStream] | None = None
    length = round(Fraction(1, 25) / ticks)
    for path, written in segments:
        start = written.first_pts * time_base - origin
        with path.open("rb") as file, av.open(file, "r") as segment:
            for packet in segment.demux(video=0):
                if packet.pts is None:
                    continue
                pts = round((start + packet.pts * packet.time_base) / ticks)
                packet.pts = packet.dts = pts
                packet.time_base = ticks
                packet.stream = stream
                if held is not None:
                    assert held.pts is not None
                    length = held.duration = pts - held.pts
                    yield held.pts * ticks, held
                held = packet
    if held is not None:
        held.duration = length
        yield (held.pts or 0) * ticks, held


def _copy_description(
    source: "av.container.InputContainer", output: "av.container.OutputContainer", cut: Cut
) -> None:
    """Title, comment and the like, and chapters."""
    output.metadata.update({k: v for k, v in source.metadata.items() if k.lower() not in _MADE_BY_CONTAINERS})
    chapters = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        start, end = chapter["start"] * base, chapter["end"] * base
        if not cut.holds(start, end - start):
            continue
        moved = [round(max(at - cut.origin, Fraction(0)) * 1000) for at in (start, cut.until(end))]
        kept = chapter.copy()
        kept["start"], kept["end"], kept["time_base"] = *moved, Fraction(1, 1000)
        chapters.append(kept)
    if chapters:
        output.set_chapters(chapters)


def _check(target: Path, frames: int) -> None:
    """That the file can be read again and holds every picture."""
    try:
        with target.open("rb") as file, av.open(file, "r") as written:
            found = sum(packet.size > 0 for packet in written.demux(video=0))
    except av.error.FFmpegError as error:
        raise InputError(
            f"{target.name}: cannot be read again after writing ({error.strerror})", path=target
        ) from error
    if found != frames:
        raise InputError(f"{target.name}: holds {found} pictures after writing, wanted {frames}", path=target)
