"""HTML pages of an album: the photos of an answer with boxes and names, and the unknown people as rows of crops."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from multiface.album.album import Album
from multiface.album.groups import UnknownGroup
from multiface.album.questions import Hit, HitFace
from multiface.errors import MultifaceError
from multiface.html_page import jpeg_uri, page, text
from multiface.images import load_picture
from multiface.images.jpeg import jpeg_bytes
from multiface.images.path_text import path_of_text, path_text

MOST_HITS = 500
"""Photos on one page; each is about 40 kB."""
MOST_GROUPS = 200
_CROPS = 12
_SIDE = 480

_STYLE = """
main { align-items: start; display: grid; gap: 1em; margin-top: 1em;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 20em), 1fr)); }
article { border: 1px solid #8886; border-radius: 6px; min-width: 0; overflow: hidden; }
.photo { background: #8882; display: flex; justify-content: center; }
.photo > div { position: relative; }
.photo img { display: block; height: auto; max-width: 100%; }
.box { border: 2px solid #1db954; box-shadow: 0 0 0 1px #000a; box-sizing: border-box; position: absolute; }
.box.unknown { border: 2px dashed #ffb000; }
.box.other { border: 1px solid #fff8; }
h2 { font-size: 1em; margin: .5em .7em 0; overflow-wrap: anywhere; }
article p { margin: .4em .7em .7em; overflow-wrap: anywhere; unicode-bidi: isolate; }
.crops { display: flex; flex-wrap: wrap; gap: .5em; margin: .5em .7em .7em; }
figure { margin: 0; text-align: center; }
figure img { border-radius: 4px; display: block; height: 84px; width: 84px; object-fit: cover; }
figcaption { font-size: .8em; }
.wide { grid-template-columns: 1fr; }
code { background: #8883; border-radius: 3px; padding: 0 .3em; }
"""


def hits_page(title: str, hits: Sequence[Hit], wanted: frozenset[str]) -> bytes:
    """The photos of an answer, at most `MOST_HITS`. wanted: ids of the people who were asked for."""
    shown = "".join(_photo(hit, wanted) for hit in hits[:MOST_HITS])
    more = f"<p>The first {MOST_HITS:,} of {len(hits):,}.</p>" if len(hits) > MOST_HITS else ""
    return page(title, _STYLE, f"{more}<main>{shown}</main>\n")


def groups_page(album: Album, groups: Sequence[UnknownGroup], singles: Sequence[HitFace]) -> bytes:
    """The unknown people, with what to type to name each, and the unknown faces that are in no group."""
    rows = "".join(_group(album, group) for group in groups[:MOST_GROUPS])
    crops = "".join(_crops(album, singles[: 10 * _CROPS]))
    rest = (
        f"<h2>{len(singles):,} single faces</h2><p>Seen once. <code>multiface album name fNUMBER NAME</code></p>"
        f'<div class="crops">{crops}</div>'
        if singles
        else ""
    )
    more = f"<p>The first {MOST_GROUPS:,} of {len(groups):,}.</p>" if len(groups) > MOST_GROUPS else ""
    return page("Unknown people", _STYLE, f'{more}<main class="wide">{rows}</main>{rest}\n')


def _group(album: Album, group: UnknownGroup) -> str:
    words = [
        f"seen {group.sightings:,} times" if group.sightings != 1 else "seen once",
        f"{len(group.faces):,} faces",
    ]
    if group.near is not None:
        words.append(
            f"looks like {text(group.near.person.name)}: {group.near.similarity:.2f}, needed {group.near.wanted:.2f}"
        )
    if group.ignored:
        words.append("ignored")
    return (
        f'<article id="g{group.number}"><h2>Group {group.number}</h2><p>{"; ".join(words)}<br>'
        f'<code>multiface album name {group.number} NAME</code></p><div class="crops">'
        f"{''.join(_crops(album, group.faces[:_CROPS]))}</div></article>\n"
    )


def _crops(album: Album, faces: Sequence[HitFace]) -> Iterator[str]:
    for face in faces:
        crop = album.crop(face.id)
        picture = (
            ""
            if crop is None
            else f'<img alt="face {face.id}" src="{jpeg_uri(crop)}" width="84" height="84">'
        )
        yield f"<figure>{picture}<figcaption>f{face.id}</figcaption></figure>"


def _photo(hit: Hit, wanted: frozenset[str]) -> str:
    name = text(path_text(Path(hit.paths[0]).name)) if hit.paths else ""
    names = ", ".join(face.name or "unknown" for face in hit.faces if not face.ignored)
    facts = f"<h2>{name}</h2><p>{text(hit.taken.replace('T', ' '))}<br>{text(names)}</p>"
    if hit.film:
        times = "; ".join(
            f"{face.name or 'unknown'} {_clock(face.seconds[0])} to {_clock(face.seconds[1])}"
            for face in hit.faces
            if face.seconds is not None and (face.person in wanted or not wanted)
        )
        return f"<article>{facts}<p>film: {text(times)}</p></article>\n"
    try:
        image = load_picture(path_of_text(hit.paths[0]))
    except MultifaceError as error:
        return f"<article>{facts}<p>{text(str(error))}</p></article>\n"
    height, width = image.shape[:2]
    boxes = "".join(_box(face, width, height, wanted) for face in hit.faces if not face.ignored)
    return (
        f'<article><div class="photo"><div><img alt="{text(names)}" width="{width}" height="{height}" '
        f'src="{jpeg_uri(jpeg_bytes(image, _SIDE))}">{boxes}</div></div>{facts}</article>\n'
    )


def _box(face: HitFace, width: int, height: int, wanted: frozenset[str]) -> str:
    """A box over the photo, in percent of it, so that it scales along."""
    x0, y0, x1, y1 = face.box
    kind = "" if face.person in wanted else " unknown" if face.name is None else " other"
    return (
        f'<div class="box{kind}" style="left:{100 * x0 / width:.2f}%;top:{100 * y0 / height:.2f}%;'
        f'width:{100 * (x1 - x0) / width:.2f}%;height:{100 * (y1 - y0) / height:.2f}%"></div>'
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
