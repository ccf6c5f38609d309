"""What may become the name of a file or folder that we make inside another folder. Open to every room.

A name that comes from elsewhere (a pack's, a person's, one inside a list of pairs) must be one step down the folder and
nothing else: no way out of it, no deeper folder, not the folder itself, nothing hidden.
"""

from multiface.errors import UsageError

LONGEST = 200
"""Bytes in UTF-8: file systems take 255, and endings are added."""


def is_file_name(text: str) -> bool:
    """Whether this names a visible file directly inside a folder, with any ending added to it."""
    try:
        size = len(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # half of a pair of UTF-16, from JSON
        return False
    return 0 < size <= LONGEST and not text.startswith(".") and not any(sign in text for sign in "/\\\0")


def file_name(text: str, what: str) -> str:
    """The text if it can name a file. what: it is the name of, for the error. Raises UsageError."""
    if not is_file_name(text):
        shown = ascii(text) if len(text) <= 60 else f"{text[:60]!a}..."
        raise UsageError(
            f"{what} {shown}: cannot name a file or folder: such a name is 1 to {LONGEST} bytes long, does not begin "
            "with a dot, and holds no / or \\"
        )
    return text


def nearest_file_name(text: str) -> str:
    """The text, or what of it can name a file; "unnamed" if nothing can."""
    if is_file_name(text):
        return text
    kept = "".join("_" if sign in "/\\\0" else sign for sign in text)
    kept = kept.encode("utf-8", "ignore")[:LONGEST].decode("utf-8", "ignore").lstrip(".")
    return kept or "unnamed"
