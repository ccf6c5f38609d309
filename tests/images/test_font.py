"""The packaged fonts: complete, licensed, and chosen so that no name in any living script shows boxes."""

import numpy as np
import pytest
from PIL import ImageFont

from building.font_coverage import ranges
from multiface.images.font import FOLDER, REPLACEMENT, coverage, font_files, fonts_of, load_font

NAMES = {
    "Latin": "Zoë Ångström-Öz Nguyễn Łukasz",
    "Greek": "Σωκράτης Παπάς",
    "Cyrillic": "Юлия Щербакова Ґ",
    "Arabic": "محمد عبد الله پگاه ٹ",
    "Hebrew": "אברהם",
    "Devanagari": "प्रिया शर्मा क्षत्रिय",
    "Bengali": "মৌসুমী চক্রবর্তী",
    "Gurmukhi": "ਗੁਰਪ੍ਰੀਤ ਸਿੰਘ",
    "Gujarati": "ગુજરાતી પ્રેમ",
    "Oriya": "ଓଡ଼ିଆ",
    "Tamil": "தமிழ்ச்செல்வி",
    "Telugu": "కృష్ణమూర్తి",
    "Kannada": "ಕೃಷ್ಣಮೂರ್ತಿ",
    "Malayalam": "കൃഷ്ണൻ",
    "Sinhala": "ශ්‍රී ලංකා",
    "Thai": "สมชาย ใจดี",
    "Lao": "ພູມິ",
    "Khmer": "សុខ សុភា",
    "Myanmar": "ကျော်ဇော",
    "Tibetan": "བསྟན་འཛིན",
    "Georgian": "გიორგი ბერიძე ᲑᲔᲠᲘᲫᲔ",
    "Armenian": "Հայկ Սարգսյան",
    "Ethiopic": "አበበ ቢቂላ",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ",
    "Thaana": "ދިވެހި",
    "Syriac": "ܣܘܪܝܝܐ",
    "Cherokee": "ᏣᎳᎩ",
    "Tifinagh": "ⵜⴰⵎⴰⵣⵉⵖⵜ",
    "Canadian": "ᐃᓄᒃᑎᑐᑦ",
    "Chinese": "李小龍 㐀",
    "Japanese": "さくら 花子 ラーメン",
    "Korean": "김연아 강",
    "Emoji": "🙂🎉",
}


def glyph(file: str, text: str) -> tuple[tuple[int, int], bytes]:
    mask = load_font(file, 32, ImageFont.Layout.BASIC).getmask(text, mode="L")
    return mask.size, bytes(mask)


@pytest.mark.parametrize("script", NAMES)
def test_every_character_has_a_glyph(script: str) -> None:
    stretches = fonts_of(NAMES[script])
    assert "".join(text for text, _ in stretches) == NAMES[script]
    for text, file in stretches:
        missing = glyph(file, "\U0010fffe")
        for character in text.replace("\u200d", "").replace(" ", ""):
            assert ord(character) in coverage(file)
            assert glyph(file, character) != missing, f"U+{ord(character):04X} in {file}"


@pytest.mark.parametrize("file", font_files())
def test_coverage_is_what_freetype_draws(file: str) -> None:
    rng = np.random.default_rng(0)
    missing = glyph(file, "\U0010fffe")
    codes = rng.integers(0x21, 0x3000, 60).tolist() + rng.choice(sorted(coverage(file)), 40).tolist()
    for code in codes:
        drawn = glyph(file, chr(code))
        if code not in coverage(file):
            assert drawn == missing, f"U+{code:04X}"
        elif drawn[1].strip(b"\0"):  # spaces and joiners are empty
            assert drawn != missing, f"U+{code:04X}"


def test_the_kept_coverage_is_that_of_the_fonts() -> None:
    pytest.importorskip("fontTools", reason="needs fontTools (extra `test`)")
    for file in font_files():
        bounds = ranges(FOLDER / file)
        codes = {
            code
            for first, last in zip(bounds[::2], bounds[1::2], strict=True)
            for code in range(first, last + 1)
        }
        assert codes == coverage(file), f"{file}: run python -m building.font_coverage"


def test_words_stay_in_one_font_and_spaces_follow() -> None:
    assert fonts_of("प्रिया शर्मा, क्ष") == [("प्रिया शर्मा, क्ष", "NotoSansDevanagari-Regular.ttf")]
    assert fonts_of("김연아 Bob") == [("김연아 ", "DroidSansFallback.ttf"), ("Bob", "DejaVuSans.ttf")]
    assert fonts_of("") == []
    # one letter that DejaVu lacks moves its whole word, so that the letters join
    rare = "ݐمحمد"
    assert ord(rare[0]) not in coverage("DejaVuSans.ttf")
    assert fonts_of(rare) == [(rare, "NotoSansArabic-Regular.ttf")]


def test_marks_stay_with_their_letter() -> None:
    for text, _ in fonts_of("a\u0301李\u0301김\u200dक\u0301"):
        assert text[0] not in "\u0301\u200d"


def test_what_no_font_has_is_shown_as_replacement() -> None:
    assert fonts_of("a\U00020000b") == [("a" + REPLACEMENT + "b", "DejaVuSans.ttf")]
    assert fonts_of("\ue123\U000f0000")[0][0][-1] == REPLACEMENT


def test_fonts_are_named_licensed_and_not_too_large() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in FOLDER.iterdir()}
    assert set(font_files()) <= files
    for name in font_files():
        assert f"`{name}`" in readme
    licences = {name for name in files if name.startswith("LICENSE-")}
    assert len(licences) == 3
    assert all(f"`{name}`" in readme for name in licences)
    assert files == set(font_files()) | licences | {"README.md", "coverage.json"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 12_000_000
