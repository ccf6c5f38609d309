"""Which of the packaged fonts draws which part of a text.

The fonts lie in `fonts/` (see its README for versions, origins and licences). The order counts: DejaVu Sans
first (Latin, Greek, Cyrillic, Hebrew, Arabic, signs), then one Noto font per script, then Droid Sans Fallback
(Chinese, Japanese, Korean), at last two parts of GNU Unifont for what the others lack.

What a font covers stands in `fonts/coverage.json`, made by `building/font_coverage.py`.
"""

import unicodedata
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from PIL import ImageFont, features

from multiface.json_text import parse_json

FOLDER = Path(__file__).parent / "fonts"
FIRST = "DejaVuSans.ttf"
_LAST_RESORT = ("unifont_rest.otf", "unifont_rest_upper.otf")
_IDEOGRAPHS = "DroidSansFallback.ttf"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_JOINERS = {"\u200c", "\u200d"}
_SELECTORS = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))


@lru_cache(maxsize=1)
def font_files() -> tuple[str, ...]:
    """Names of the packaged fonts in the order in which they are asked."""
    noto = sorted(path.name for path in FOLDER.glob("Noto*.ttf"))
    return (FIRST, *noto, _IDEOGRAPHS, *_LAST_RESORT)


@lru_cache(maxsize=64)
def load_font(file: str, size: int, layout: ImageFont.Layout) -> ImageFont.FreeTypeFont:
    """The packaged font in pixels of its em."""
    return ImageFont.truetype(FOLDER / file, size, layout_engine=layout)


@lru_cache(maxsize=1)
def best_layout() -> ImageFont.Layout:
    """Raqm, which shapes and joins letters, where this Pillow has it."""
    return ImageFont.Layout.RAQM if features.check_feature("raqm") else ImageFont.Layout.BASIC


@lru_cache(maxsize=1)
def _ranges() -> dict[str, list[int]]:
    ranges: dict[str, list[int]] = parse_json((FOLDER / "coverage.json").read_bytes())
    return ranges


@lru_cache(maxsize=64)
def coverage(file: str) -> frozenset[int]:
    """The code points for which the packaged font has a glyph."""
    bounds = _ranges()[file]
    return frozenset(
        code for first, last in zip(bounds[::2], bounds[1::2], strict=True) for code in range(first, last + 1)
    )


def fonts_of(text: str) -> list[tuple[str, str]]:
    """The text cut into stretches of one font: (stretch, file), in the order of the text.

    A word stays in one font where any can draw all of it, so that its letters join; otherwise it is cut
    between a letter and the next, never between a letter and its marks. Spaces and signs go with what stands
    before them where that font has them. A character that no font has becomes U+FFFD.
    """
    stretches: list[tuple[str, str]] = []
    last: str | None = None
    for is_word, group in groupby(_clusters(text), key=_is_word_part):
        clusters = list(group)
        word = "".join(clusters)
        whole = _covering(word, skip_last_resort=True) if is_word else None
        for cluster in [word] if whole else clusters:
            if whole:
                file: str | None = whole
            elif last and not is_word and _has(last, cluster):
                file = last
            else:
                file = _covering(cluster)
            if file is None:
                cluster = "".join(one if _covering(one) else REPLACEMENT for one in cluster)
                file = _covering(cluster) or _covering(cluster[0]) or FIRST
            stretches.append((cluster, file))
            last = file
    return [
        ("".join(stretch for stretch, _ in group), file)
        for file, group in ((file, list(group)) for file, group in groupby(stretches, key=lambda one: one[1]))
    ]


def _clusters(text: str) -> list[str]:
    """Each letter with the marks, joiners and variation selectors that follow it."""
    clusters: list[str] = []
    for character in text:
        glued = clusters and clusters[-1][-1] == "\u200d" and not character.isspace()
        if clusters and (glued or unicodedata.category(character)[0] == "M" or character in _JOINERS):
            clusters[-1] += character
        else:
            clusters.append(character)
    return clusters


def _is_word_part(cluster: str) -> bool:
    return unicodedata.category(cluster[0])[0] in "LM"


def _has(file: str, text: str) -> bool:
    covered = coverage(file)
    return all(ord(character) in covered or shows_nothing(character) for character in text)


def shows_nothing(text: str) -> bool:
    """Whether it is all joiners and variation selectors, which only change how their neighbours look."""
    return all(one in _JOINERS or any(low <= ord(one) <= high for low, high in _SELECTORS) for one in text)


def _covering(text: str, skip_last_resort: bool = False) -> str | None:
    files = font_files()[: -len(_LAST_RESORT)] if skip_last_resort else font_files()
    return next((file for file in files if _has(file, text)), None)
