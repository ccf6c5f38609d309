"""Text from elsewhere, made safe to show. Open to every room.

Paths, names, metadata of pictures and words of servers may hold what a terminal obeys (ECMA-48 control sequences), what
forges a line of a log, and what shows a text in another order than it has (bidirectional overrides, CVE-2021-42574).
"""

import logging
import re

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""The text on one line: every unsafe character as its escape, such as `\x1b`, `\n` or `\u202e`."""
    return _UNSAFE.sub(_escape, text)


def visible_json(text: str) -> str:
    """A JSON document with the same content, in which no character is unsafe; JSON escapes the other half itself."""
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def table_cell(text: str) -> str:
    """A cell of a CSV file that no spreadsheet takes for a formula: an apostrophe stands before what begins like one.

    Source: OWASP, "CSV Injection".
    """
    shown = visible(text)
    return f"'{shown}" if _FORMULA.match(shown) else shown


def log_of(name: str) -> logging.Logger:
    """The logger of a module; each of its messages is one line and visible, whatever paths and words it names."""
    log = logging.getLogger(name)
    log.addFilter(_show)
    return log


def _show(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    if (shown := visible(text)) != text:
        record.msg, record.args = shown, None
    return True


def _escape(found: re.Match[str]) -> str:
    return (
        found[0].encode("ascii", "backslashreplace").decode() if ord(found[0]) > 127 else repr(found[0])[1:-1]
    )
