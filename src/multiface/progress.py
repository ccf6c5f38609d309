"""How a long job tells how far it is. Open to every room."""

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Called with how much is done and how much there is in all, in the job's own unit; None while that is unknown."""
