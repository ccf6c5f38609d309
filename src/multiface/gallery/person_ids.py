"""Ids of people: `p_` and 16 characters for 80 random bits, such as `p_4k7qx0m2v9dre8hs`.

An id says nothing about the person, is given once, and stays when the gallery moves to another database. The characters
are Crockford's base 32 (no i, l, o, u), in lower case: https://www.crockford.com/base32.html
"""

import re
import secrets

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 16
ID_PATTERN = f"^p_[{_LETTERS}]{{{_LENGTH}}}$"
_FORM = re.compile(ID_PATTERN)


def new_id() -> str:
    """An id that nobody has."""
    return "p_" + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


def is_id(text: str) -> bool:
    """Whether a text has the form of an id; no name has it."""
    return _FORM.fullmatch(text) is not None
