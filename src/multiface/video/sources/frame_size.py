"""How large a frame of a film or a camera may be: the limit on pictures (`images.limits`), in pixels."""

from multiface.images import picture_limits


def pixel_limit() -> dict[str, str]:
    """The option by which FFmpeg refuses a frame that is too large before it takes memory for it."""
    return {"max_pixels": str(picture_limits().video_pixels * 9 // 8)}  # FFmpeg counts whole blocks


def over_limit(width: int, height: int) -> str | None:
    """Why frames of this size are refused; None where they are not."""
    if width * height <= picture_limits().video_pixels:
        return None
    return f"its frames of {width} x {height} are {limit_in_words()}"


def limit_in_words() -> str:
    """What is wrong with frames that are too large, and what to do."""
    return (
        f"over the limit of {picture_limits().video_pixels:,} pixels (scale them down, or see --max-picture)"
    )
