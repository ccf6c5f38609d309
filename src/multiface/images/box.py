"""Where something is in a picture: x to the right, y down, (0, 0) the outer corner of the first pixel."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the upright picture."""


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1; equal boxes without area overlap fully."""
    if a == b:
        return 1.0
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
