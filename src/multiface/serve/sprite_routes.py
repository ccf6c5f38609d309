"""Small pictures of many faces in one answer: one under the other, so that a page of people is one request."""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Annotated, Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
from fastapi import APIRouter, Depends, Query
from fastapi.routing import APIRoute
from pydantic import Field
from starlette.responses import Response

from multiface.errors import InputError
from multiface.gallery import Gallery, album_faces, template_rows
from multiface.gallery.contents import CROP_SIDE
from multiface.gallery.covers import cover_of
from multiface.gallery.person_ids import ID_PATTERN
from multiface.gallery.sql import Connection
from multiface.images import open_picture
from multiface.serve.access import Access
from multiface.serve.cursors import RowId

MOST_TILES = 100
Ids = Annotated[list[RowId], Query(max_length=MOST_TILES)]
People = Annotated[list[Annotated[str, Field(pattern=ID_PATTERN)]], Query(max_length=MOST_TILES)]


def sprite_routes(gallery: Gallery, access: Access, route: type[APIRoute]) -> APIRouter:
    """The routes. Each answers a JPEG, `CROP_SIDE` wide and so high for each face, in the order asked for; a grey tile
    where no picture is kept.
    """
    router = APIRouter(prefix="/v1/sprites", tags=["pictures"], route_class=route)
    read = Depends(access.needs("pictures:read"))

    def sprite(wanted: Sequence[Any], one: Callable[[Connection, Any], bytes | None]) -> Response:
        with gallery.database.reading() as connection:
            crops = [one(connection, each) for each in wanted]
        return Response(_under_one_another(crops), media_type="image/jpeg")

    @router.get("/people", dependencies=[read], summary="The covers of people")
    def people(person: People) -> Response:
        """person: ids, up to 100."""
        return sprite(person, cover_of)

    @router.get("/faces", dependencies=[read], summary="Faces of the album")
    def faces(face: Ids) -> Response:
        """face: ids, up to 100."""
        return sprite(face, album_faces.crop_of)

    @router.get("/templates", dependencies=[read], summary="Enrolled faces")
    def templates(template: Ids) -> Response:
        """template: ids, up to 100; `face` of a person's faces."""
        return sprite(template, _template)

    return router


def _template(connection: Connection, template: int) -> bytes | None:
    crop = template_rows.crop(connection, template)
    return None if crop is None else crop.picture


def _under_one_another(crops: Sequence[bytes | None]) -> bytes:
    """JPEG, `CROP_SIDE` wide."""
    sheet = PIL.Image.new("RGB", (CROP_SIDE, CROP_SIDE * max(1, len(crops))), (128, 128, 128))
    for k, crop in enumerate(crops):
        tile = None if crop is None else _tile(crop)
        if tile is None:
            _nobody(PIL.ImageDraw.Draw(sheet), CROP_SIDE * k)
        else:
            sheet.paste(tile, ((CROP_SIDE - tile.width) // 2, CROP_SIDE * k + (CROP_SIDE - tile.height) // 2))
    content = BytesIO()
    sheet.save(content, "JPEG", quality=85)
    return content.getvalue()


def _tile(crop: bytes) -> PIL.Image.Image | None:
    """The picture, at most `CROP_SIDE` on each side; None for one that is damaged."""
    try:
        picture = PIL.Image.fromarray(np.ascontiguousarray(open_picture(crop).pixels))
    except InputError:
        return None
    picture.thumbnail((CROP_SIDE, CROP_SIDE), PIL.Image.Resampling.LANCZOS)
    return picture


def _nobody(draw: PIL.ImageDraw.ImageDraw, top: int) -> None:
    """Head and shoulders."""
    grey = (170, 170, 170)
    draw.ellipse((36, top + 22, 76, top + 66), fill=grey)
    draw.ellipse((18, top + 72, 94, top + 152), fill=grey)
    draw.rectangle((0, top + CROP_SIDE, CROP_SIDE, top + CROP_SIDE + 41), fill=(128, 128, 128))
