"""`identify`, `verify`, `detect`, `embed`, `search`: pictures in, answers out, as the commands of the same names."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request

from multiface.errors import InputError
from multiface.images import open_picture
from multiface.recognition import VERIFY_RATE, Recognizer
from multiface.recognition.documents import (
    detection_document,
    embedding_documents,
    identification_document,
    ranking_document,
    verification_document,
)
from multiface.serve.access import Access, Caller
from multiface.serve.pictures import pictures_of
from multiface.serve.problems import Problem, kind_of, problem_of
from multiface.serve.work import Work

Document = dict[str, Any]


GroupName = Annotated[str, Field(min_length=1, max_length=200)]
Groups = Annotated[
    list[GroupName] | None,
    Query(max_length=100, description="Only people who are in one of these get a name."),
]
FaceNumbers = Annotated[
    list[Annotated[int, Field(ge=1, le=100_000)]] | None, Query(min_length=2, max_length=2)
]


def recognition_routes(recognizer: Recognizer, access: Access, work: Work) -> APIRouter:
    """The routes. Pictures that cannot be used have an `error` in their place, unless there is only one."""
    router = APIRouter(prefix="/v1", tags=["recognise"])
    recognise, embed_ = Depends(access.needs("recognise", by_group=True)), Depends(access.needs("embed"))
    asking = Annotated[Caller, recognise]

    async def each(request: Request, one: Callable[[bytes], Document]) -> Document:
        work.check()
        pictures = await pictures_of(request)

        def job() -> list[Document]:
            return (
                [one(pictures[0])]
                if len(pictures) == 1
                else [_in_place(one, picture) for picture in pictures]
            )

        return {"request_id": request.state.request_id, "pictures": await work.run(job)}

    @router.post("/identify", summary="Who is in pictures")
    async def identify(request: Request, caller: asking, group: Groups = None) -> Document:
        """The people of each picture; strangers are null, at the stated rate."""
        groups = caller.groups_among(group or ())
        document = await each(
            request, lambda data: identification_document(None, recognizer.identify(data, groups))
        )
        return document | {"caveat": recognizer.caveat}

    @router.post("/detect", dependencies=[recognise], summary="The faces of pictures")
    async def detect(request: Request) -> Document:
        """Boxes and landmarks."""

        def one(data: bytes) -> Document:
            picture = open_picture(data)
            height, width = picture.pixels.shape[:2]
            return detection_document(
                None, width, height, recognizer.detect(picture.pixels), picture.whole_share
            )

        return await each(request, one)

    @router.post("/embed", dependencies=[embed_], summary="The vectors of faces")
    async def embed(request: Request) -> Document:
        """A vector of unit length for each face. Vectors are biometric data."""
        return await each(
            request, lambda data: {"faces": embedding_documents(None, recognizer.analyse(data))}
        )

    @router.post("/search", summary="The most similar people, undecided")
    async def search(
        request: Request, caller: asking, group: Groups = None, most: int = Query(5, ge=1, le=100)
    ) -> Document:
        """People by similarity for each face. Nothing is decided and no rate is stated."""
        groups = caller.groups_among(group or ())

        def one(data: bytes) -> Document:
            analysis = recognizer.analyse(data)
            return ranking_document(None, analysis, recognizer.rank(analysis.embeddings, most, groups))

        return await each(request, one)

    @router.post("/verify", dependencies=[recognise], summary="Whether two pictures show the same person")
    async def verify(
        request: Request, rate: float = Query(VERIFY_RATE, gt=0, lt=1), face: FaceNumbers = None
    ) -> Document:
        """Two files as multipart/form-data. rate: the share of pairs of different people taken for one (FMR).

        face: which face of each picture, from 1, best detection first.
        """
        work.check()
        pictures = await pictures_of(request)
        if len(pictures) != 2:
            raise Problem(422, "two_pictures", f"verify takes two pictures, got {len(pictures)}")
        result = await work.run(lambda: recognizer.verify(pictures[0], pictures[1], rate, face or ()))
        return {"request_id": request.state.request_id, **verification_document(None, None, result)}

    return router


def _in_place(one: Callable[[bytes], Document], picture: bytes) -> Document:
    """The answer for one of many, or why there is none."""
    try:
        return one(picture)
    except InputError as error:
        if problem_of(error).status >= 500:
            raise
        return {"error": {"type": f"urn:multiface:{kind_of(error)}", "detail": str(error)}}
