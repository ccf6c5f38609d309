"""Which code points each packaged font draws, written beside the fonts as `coverage.json`.

`python -m building.font_coverage`, with fontTools, after a font was added or exchanged.
"""

import json
from pathlib import Path

from multiface.images.font import FOLDER, font_files

FILE = FOLDER / "coverage.json"


def ranges(path: Path) -> list[int]:
    """First and last code point of each range for which the font has a glyph, one pair behind the other, rising."""
    from fontTools.ttLib import TTFont

    with TTFont(path) as font:
        glyphs = font.getGlyphOrder()
        codes = sorted(code for code, glyph in font.getBestCmap().items() if glyph != glyphs[0])
    starts = [code for at, code in enumerate(codes) if at == 0 or codes[at - 1] != code - 1]
    ends = [code for at, code in enumerate(codes) if at + 1 == len(codes) or codes[at + 1] != code + 1]
    return [bound for pair in zip(starts, ends, strict=True) for bound in pair]


if __name__ == "__main__":
    document = {name: ranges(FOLDER / name) for name in font_files()}
    FILE.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")
