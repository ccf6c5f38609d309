"""People's names: any script, kept in Unicode's NFC form, 1..200 characters, upper and lower case differ.

Refused are control characters, line separators, lone surrogates (undecodable file names) and the
characters that override the reading direction (a name could be shown as another); joiners and direction
marks stay, since Persian, Hindi and Hebrew names need them.
"""

import difflib
import unicodedata
from collections.abc import Sequence

from multiface.errors import UsageError
from multiface.gallery.person_ids import is_id

LONGEST = 200
LONGEST_TEXT = 2_000
_FORBIDDEN_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
_DIRECTION_OVERRIDES = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SIMILAR_ENOUGH = 0.6


def some_text(text: str) -> str:
    """The text, where a caller may have given anything. Raises UsageError."""
    if not isinstance(text, str):
        raise UsageError(f"a name or id is a text, not {type(text).__name__}")
    return text


def clean_name(text: str) -> str:
    """The name as a gallery keeps it. Raises UsageError if it cannot be a person's name."""
    name = unicodedata.normalize("NFC", some_text(text)).strip()
    bad = [c for c in name if unicodedata.category(c) in _FORBIDDEN_CATEGORIES or c in _DIRECTION_OVERRIDES]
    if bad:
        raise UsageError(
            f"name {_shown(text)}: holds the character U+{ord(bad[0]):04X}, which a name may not hold",
            hint="leave out control characters and line breaks",
            name=text,
        )
    if all(unicodedata.category(c)[0] in "CZ" for c in name):
        raise UsageError(
            f"name {_shown(text)}: has no visible character", hint="give at least one letter", name=text
        )
    if len(name) > LONGEST:
        raise UsageError(
            f"name {_shown(text)}: {len(name)} characters, at most {LONGEST} are allowed", name=text
        )
    if is_id(name):
        raise UsageError(
            f"name {name}: has the form of a person's id", hint="give a name that does not", name=name
        )
    return name


def clean_text(what: str, text: str) -> str:
    """A note or an id of another system as a gallery keeps it, at most 2,000 characters; "" for nothing.

    what: what messages call it. Raises UsageError for a text with a null character or half a surrogate, or one that is
    longer.
    """
    cleaned = unicodedata.normalize("NFC", text).strip()
    if any(c == "\0" or unicodedata.category(c) == "Cs" for c in cleaned):
        raise UsageError(
            f"{what} {_shown(text)}: holds a character that cannot be stored", hint="leave it out"
        )
    if len(cleaned) > LONGEST_TEXT:
        raise UsageError(
            f"{what} {_shown(text)}: {len(cleaned)} characters, at most {LONGEST_TEXT} are allowed"
        )
    return cleaned


def nearest_name(wanted: str, names: Sequence[str]) -> str | None:
    """The name most like `wanted`, ignoring case, or None if none comes near."""
    folded = {name.casefold(): name for name in reversed(names)}
    near = difflib.get_close_matches(wanted.casefold(), folded, n=1, cutoff=_SIMILAR_ENOUGH)
    return folded[near[0]] if near else None


def _shown(text: str) -> str:
    return ascii(text) if len(text) <= 60 else f"{text[:60]!a}..."
