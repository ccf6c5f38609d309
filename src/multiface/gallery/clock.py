"""Times as galleries write them: now, in UTC, ISO 8601, whole seconds; of files, in ns."""

import os
from datetime import UTC, datetime, timedelta


def utc_now() -> str:
    """Such as 2024-05-01T12:34:56+00:00."""
    return utc_in(timedelta())


def utc_in(span: timedelta) -> str:
    """The time so long from now; in the past for a negative span."""
    return (datetime.now(UTC) + span).isoformat(timespec="seconds")


def modified_ns(facts: os.stat_result) -> int:
    """When a file was last changed, in ns, as a mark to compare: times beyond 2262 and before 1677 are wrapped into the
    64 bits that SQLite has.
    """
    return (facts.st_mtime_ns + (1 << 63)) % (1 << 64) - (1 << 63)
