"""Where something is in a picture: x to the right, y down, (0, 0) the outer corner of the first pixel."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the upright picture."""
