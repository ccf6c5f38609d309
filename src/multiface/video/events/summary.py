"""A run as one HTML page: who was there, with the best picture, and when, on a time line.

One row for each person, stranger or unknown track; one bar for each interval.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from multiface.atomic_write import write_whole
from multiface.errors import UsageError
from multiface.html_page import jpeg_uri, page, text
from multiface.images.jpeg import jpeg_bytes
from multiface.images.path_text import path_text
from multiface.video.events.intervals import Interval
from multiface.video.results import BestView

_PICTURE_SIDE = 160
_LEAST_BAR = 0.15
"""Width in percent below which a bar could not be seen."""

_STYLE = """
body { max-width: 70em; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8884; padding: .5em; text-align: left; vertical-align: middle; }
td.pictures { white-space: nowrap; }
td.pictures img { border-radius: 4px; height: 80px; margin-right: 2px; }
td.who { max-width: 14em; overflow-wrap: anywhere; unicode-bidi: isolate; }
td.line { width: 50%; }
.track { background: #8883; border-radius: 3px; height: 1.2em; overflow: hidden; position: relative; }
.track span { background: #2a7de1; height: 100%; position: absolute; }
.unknown .track span { background: #888; }
details { font-size: .85em; }
"""
_MOST_PICTURES = 4


@dataclass(frozen=True, slots=True)
class _Row:
    """What one row shows. who: None for an unknown, told by number of stranger or track."""

    who: str | None
    label: str
    intervals: tuple[Interval, ...]

    @property
    def seconds(self) -> float:
        return sum(one.seconds for one in self.intervals)


def write_summary(
    path: Path,
    *,
    title: str,
    intervals: Iterable[Interval],
    best_views: Mapping[int, BestView],
    begin: float,
    end: float,
) -> None:
    """Write the page; it is there whole or not at all, readable by its owner only: it shows faces.

    title: a file's name without its folder, or an address without credentials. best_views: by track. begin, end: the
    part of the source that was worked on, in seconds; the time line is longer where an interval is. Raises UsageError
    where the file cannot be written.
    """
    rows = _rows(tuple(intervals))
    end = max([begin, end, *(one.end for row in rows for one in row.intervals)])
    body = "".join(_row(row, best_views, begin, end) for row in rows)
    people = sum(row.who is not None for row in rows)
    table = f"""<p>{people} known by name, {len(rows) - people} unknown; {_clock(end - begin)} in all.</p>
<table>
<thead><tr><th></th><th>Who</th><th>In the picture</th><th>{_clock(begin)} to {_clock(end)}</th></tr></thead>
<tbody>
{body}</tbody>
</table>
"""
    try:
        write_whole(path, page(title, _STYLE, table), private=True)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path_text(path)}: cannot be written ({error})", path=path) from error


def _rows(intervals: tuple[Interval, ...]) -> list[_Row]:
    """People by how long they were there, then the unknown by when they came."""
    named: dict[str, list[Interval]] = {}
    unknown: dict[str, list[Interval]] = {}
    for one in intervals:
        if one.person is not None:
            named.setdefault(one.person, []).append(one)
        else:
            label = f"unknown (track {one.track})" if one.stranger is None else f"stranger {one.stranger}"
            unknown.setdefault(label, []).append(one)
    rows = [_Row(name, name, tuple(theirs)) for name, theirs in named.items()]
    rows.sort(key=lambda row: -row.seconds)
    return rows + [_Row(None, label, tuple(theirs)) for label, theirs in unknown.items()]


def _row(row: _Row, best_views: Mapping[int, BestView], begin: float, end: float) -> str:
    tracks = dict.fromkeys(one.track for one in row.intervals)
    shown = sorted(
        (best_views[track] for track in tracks if track in best_views), key=lambda view: -view.quality
    )
    pictures = "".join(_picture(view, row.label) for view in shown[:_MOST_PICTURES])
    bars = "".join(_bar(one, begin, end) for one in row.intervals)
    times = "; ".join(f"{_clock(one.begin)} to {_clock(one.end)}" for one in row.intervals)
    often = f"{len(row.intervals)} times" if len(row.intervals) > 1 else "once"
    return (
        f'<tr class="{"unknown" if row.who is None else "known"}"><td class="pictures">{pictures}</td>'
        f'<td class="who">{text(row.label)}</td>'
        f"<td>{_clock(row.seconds)}<br><small>{often}</small></td>"
        f'<td class="line"><div class="track">{bars}</div>'
        f"<details><summary>times</summary>{times}</details></td></tr>\n"
    )


def _picture(view: BestView, label: str) -> str:
    data = jpeg_uri(jpeg_bytes(view.crop, _PICTURE_SIDE))
    return f'<img alt="{text(label)} at {_clock(view.time)}" src="{data}">'


def _bar(one: Interval, begin: float, end: float) -> str:
    scale = 100.0 / (end - begin) if end > begin else 0.0
    width = max(one.seconds * scale, _LEAST_BAR)
    left = min((one.begin - begin) * scale, 100.0 - width)
    when = f"{_clock(one.begin)} to {_clock(one.end)}"
    return f'<span title="{when}" style="left:{left:.3f}%;width:{width:.3f}%"></span>'


def _clock(seconds: float) -> str:
    """61.25 as 1:01.2, 3661 as 1:01:01.0."""
    tenths = round(max(seconds, 0.0) * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{head}:{rest // 10:02}.{rest % 10}"
