"""People's names: any script, kept in Unicode's NFC form, 1..200 characters, upper and lower case differ.

Refused are control characters, line separators, lone surrogates (undecodable file names) and the
characters that override the reading direction (a name could be shown as another); joiners and direction
marks stay, since Persian, Hindi and Hebrew names need them.
"""

import difflib
import unicodedata
from collections.abc import Sequence

from multiface.errors import UsageError

LONGEST = 200
_FORBIDDEN_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
_DIRECTION_OVERRIDES = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SIMILAR_ENOUGH = 0.6
_MOST_COMPARED = 20_000


def clean_name(text: str) -> str:
    """The name as a gallery keeps it. Raises UsageError if it cannot be a person's name."""
    name = unicodedata.normalize("NFC", text).strip()
    bad = [c for c in name if unicodedata.category(c) in _FORBIDDEN_CATEGORIES or c in _DIRECTION_OVERRIDES]
    if bad:
        raise UsageError(
            f"name {_shown(text)}: holds the character U+{ord(bad[0]):04X}, which a name may not hold; "
            "leave out control characters and line breaks"
        )
    if all(unicodedata.category(c)[0] in "CZ" for c in name):
        raise UsageError(f"name {_shown(text)}: holds nothing that can be seen; give at least one letter")
    if len(name) > LONGEST:
        raise UsageError(f"name {_shown(text)}: {len(name)} characters, at most {LONGEST} are allowed")
    return name


def nearest_name(wanted: str, names: Sequence[str]) -> str | None:
    """The name most like `wanted`, ignoring case, or None if none comes near."""
    folded = {name.casefold(): name for name in reversed(names[:_MOST_COMPARED])}
    near = difflib.get_close_matches(wanted.casefold(), folded, n=1, cutoff=_SIMILAR_ENOUGH)
    return folded[near[0]] if near else None


def _shown(text: str) -> str:
    return ascii(text) if len(text) <= 60 else f"{text[:60]!a}..."
