"""Pictures: decoded to upright RGB, found in folders, drawn on and saved."""

from multiface.images.decode import (
    Picture,
    PictureSource,
    load_picture,
    open_picture,
    read_picture,
    share_in_words,
    undecoded,
)
from multiface.images.draw import Mark, draw_faces, draw_marks
from multiface.images.limits import PictureLimits, limit_pictures, picture_limits
from multiface.images.listing import Listing, expand, list_pictures
from multiface.images.pixels import Image, from_bgr
from multiface.images.save import save_picture
from multiface.images.surface import Surface

__all__ = [
    "Image",
    "Listing",
    "Mark",
    "Picture",
    "PictureLimits",
    "PictureSource",
    "Surface",
    "draw_faces",
    "draw_marks",
    "expand",
    "from_bgr",
    "limit_pictures",
    "list_pictures",
    "load_picture",
    "open_picture",
    "picture_limits",
    "read_picture",
    "save_picture",
    "share_in_words",
    "undecoded",
]
