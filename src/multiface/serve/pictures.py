"""The pictures of a request: one as the body (`Content-Type: image/...`), or up to `MOST_PICTURES` multipart files."""

from collections.abc import Sequence

from starlette.datastructures import UploadFile
from starlette.requests import Request

from multiface.serve.problems import Problem
from multiface.serve.serve_settings import MOST_PICTURES


async def pictures_of(request: Request, fields: Sequence[str] = ("picture", "pictures")) -> list[bytes]:
    """The bytes of each picture. Raises Problem (400, 415, 422)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("image/") or kind == "application/octet-stream":
        body = await request.body()
        if not body:
            raise Problem(422, "no_picture", "the body is empty, wanted a picture")
        return [body]
    if kind != "multipart/form-data":
        if not kind and request.headers.get("content-length", "0") == "0":
            raise Problem(422, "no_picture", "send a picture: as the body, or files as multipart/form-data")
        raise Problem(
            415,
            "wrong_content",
            "send a picture as the body (Content-Type: image/jpeg), or files as multipart/form-data",
        )
    async with request.form(max_files=MOST_PICTURES, max_fields=16) as form:
        files = [
            value for field, value in form.multi_items() if field in fields and isinstance(value, UploadFile)
        ]
        if not files:
            raise Problem(422, "no_picture", f"no file in the field {fields[-1]}")
        return [await file.read() for file in files]
