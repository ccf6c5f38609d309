"""Jobs: long work that was asked for, how far it is, its end; progress as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from multiface.errors import GalleryBusy, NotInGallery
from multiface.gallery import Gallery
from multiface.gallery.service import jobs
from multiface.gallery.service.jobs import Job
from multiface.serve.access import Access
from multiface.serve.cursors import Limit
from multiface.serve.server_events import STREAM, event_text, kept_alive

Document = dict[str, Any]
Id = Annotated[str, Path(max_length=100)]
_LOOK = 0.5
"""Seconds between two looks at a job that is followed."""


def job_routes(gallery: Gallery, access: Access, route: type[APIRoute]) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1", tags=["jobs"], route_class=route)
    admin = Depends(access.needs("admin"))

    def of(number: str) -> Job:
        with gallery.database.reading() as connection:
            job = jobs.found(connection, number)
        if job is None:
            raise NotInGallery(f"there is no job {number}")
        return job

    @router.get("/jobs", dependencies=[admin], summary="List jobs")
    def list_jobs(limit: Limit = 50) -> Document:
        """Those of the last 30 days, newest first."""
        with gallery.database.reading() as connection:
            return {"jobs": [job_document(one) for one in jobs.jobs(connection, limit)]}

    @router.get("/jobs/{job}", dependencies=[admin], summary="One job")
    def job(job: Id) -> Document:
        """Its progress and result."""
        return job_document(of(job))

    @router.delete("/jobs/{job}", dependencies=[admin], status_code=202, summary="Cancel a job")
    def cancel(job: Id) -> Document:
        """At once if it is waiting, soon if it is running. What it has done so far stays."""
        of(job)
        with gallery.database.writing() as connection:
            jobs.cancel(connection, job)
        return job_document(of(job))

    @router.get("/jobs/{job}/events", dependencies=[admin], summary="Follow a job")
    async def follow(job: Id, request: Request) -> StreamingResponse:
        """Server-sent events named `progress`, each with the job, until it ends."""
        await run_in_threadpool(of, job)

        async def told() -> AsyncIterator[str]:
            last: Document | None = None
            while await access.still_holds(request):
                try:
                    now = await run_in_threadpool(of, job)
                except GalleryBusy:  # away for a moment
                    await asyncio.sleep(_LOOK)
                    continue
                document = job_document(now)
                if document != last:
                    last = document
                    yield event_text("progress", document)
                if now.has_ended:
                    return
                await asyncio.sleep(_LOOK)

        return StreamingResponse(kept_alive(told()), media_type=STREAM)

    return router


def job_document(job: Job) -> Document:
    """A job as JSON."""
    return {
        "job": job.id,
        "kind": job.kind,
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "made": job.made,
        "began": job.began,
        "ended": job.ended,
        "result": job.result,
        "problem": job.problem,
    }


def accepted(job: Job) -> JSONResponse:
    """The answer to a request for long work: 202, and where to look."""
    return JSONResponse(job_document(job), 202, {"Location": f"/v1/jobs/{job.id}"})
