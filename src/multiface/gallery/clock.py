"""The time as galleries write it: UTC, ISO 8601, whole seconds."""

from datetime import UTC, datetime


def utc_now() -> str:
    """Such as 2024-05-01T12:34:56+00:00."""
    return datetime.now(UTC).isoformat(timespec="seconds")
