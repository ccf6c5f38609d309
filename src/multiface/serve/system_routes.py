"""Whether the service lives and is ready, and its figures for Prometheus."""

import threading
from collections import Counter

from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse, PlainTextResponse

from multiface.errors import MultifaceError
from multiface.gallery import Gallery
from multiface.serve.access import Access
from multiface.serve.work import Work
from multiface.version import __version__

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Figures:
    """Counts of answers by method, route and status, and how long they took. No names, no paths."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, str, int]] = Counter()
        self._seconds: Counter[float] = Counter()
        self._sum = 0.0

    def seen(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answer."""
        with self._lock:
            self._answers[method, route, status] += 1
            self._sum += seconds
            for bucket in _BUCKETS:
                self._seconds[bucket] += seconds <= bucket

    def text(self, work: Work, people: int) -> str:
        """In the text format of Prometheus, version 0.0.4."""
        with self._lock:
            answers, seconds, total = dict(self._answers), dict(self._seconds), self._sum
        lines = [
            "# TYPE multiface_requests_total counter",
            *(
                f'multiface_requests_total{{method="{method}",route="{route}",status="{status}"}} {count}'
                for (method, route, status), count in sorted(answers.items())
            ),
            "# TYPE multiface_request_seconds histogram",
            *(
                f'multiface_request_seconds_bucket{{le="{bucket}"}} {seconds.get(bucket, 0)}'
                for bucket in _BUCKETS
            ),
            f'multiface_request_seconds_bucket{{le="+Inf"}} {sum(answers.values())}',
            f"multiface_request_seconds_sum {total:.6f}",
            f"multiface_request_seconds_count {sum(answers.values())}",
            "# TYPE multiface_work_now gauge",
            f"multiface_work_now {work.now}",
            "# TYPE multiface_work_refused_total counter",
            f"multiface_work_refused_total {work.refused}",
            "# TYPE multiface_people gauge",
            f"multiface_people {people}",
            "# TYPE multiface_info gauge",
            f'multiface_info{{version="{__version__}"}} 1',
        ]
        return "\n".join(lines) + "\n"


def system_routes(gallery: Gallery, access: Access, work: Work, figures: Figures) -> APIRouter:
    """The routes; those of life need no key."""
    router = APIRouter(tags=["system"])

    @router.get("/livez", summary="Liveness")
    async def livez() -> dict[str, str]:
        """200 as long as the process answers."""
        # Not in a thread: all of them may wait for a database.
        return {"status": "alive"}

    @router.get("/readyz", summary="Readiness")
    def readyz() -> JSONResponse:
        """503 while the gallery cannot be read."""
        try:
            gallery.matrix()
        except MultifaceError:
            return JSONResponse({"status": "the gallery cannot be read"}, 503, {"Retry-After": "2"})
        return JSONResponse({"status": "ready"})

    @router.get("/metrics", dependencies=[Depends(access.needs("admin"))], summary="Metrics for Prometheus")
    def metrics() -> PlainTextResponse:
        """In Prometheus text format."""
        return PlainTextResponse(
            figures.text(work, len(gallery.matrix())), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    return router
