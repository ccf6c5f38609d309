"""PyAV, imported in this one place of the room, so that its absence is told in one way.

Importing this file raises ExtraMissing where PyAV is not installed. Files of the room write
`from multiface.video.sources.pyav import av`.
"""

from multiface.errors import ExtraMissing, how_to_install

try:
    import av
except ImportError as error:
    raise ExtraMissing(
        f"video and cameras need PyAV, which cannot be loaded ({error}); {how_to_install('video')}"
    ) from error

__all__ = ["av"]
