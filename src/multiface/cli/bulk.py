"""Work by many workers: threads of this machine, or a Ray cluster (`--ray`)."""

import dataclasses
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from multiface.cli.console import Speaker, counted
from multiface.cli.options import Chosen

if TYPE_CHECKING:
    from multiface.bulk.tasks import Networks, Workers
    from multiface.datasets.object_store import Listed


def networks_of(chosen: Chosen) -> "Networks":
    """What workers open."""
    from multiface.bulk.tasks import Networks
    from multiface.images import picture_limits

    return Networks(
        chosen.detector, chosen.min_face, chosen.engine, chosen.store, chosen.cache, picture_limits()
    )


def workers_of(chosen: Chosen, ray: str | None) -> "AbstractContextManager[Workers]":
    """The cluster at this address; None: as many threads here as the thread budget."""
    from multiface.bulk.cluster import cluster
    from multiface.bulk.tasks import here

    return nullcontext(here(chosen.engine_value().thread_count)) if ray is None else cluster(ray)


def embed_many(
    speaker: Speaker, chosen: Chosen, pictures: "Sequence[Path | Listed]", out: Path, ray: str | None
) -> None:
    """`embed` into a Parquet file."""
    from multiface.bulk.embedding import EmbeddingJob, embed_to_parquet, need_pyarrow

    need_pyarrow()
    job = EmbeddingJob(networks_of(chosen), chosen.weights, chosen.flip)
    with workers_of(chosen, ray) as workers, speaker.progress("pictures") as progress:
        done = embed_to_parquet(pictures, out, job, workers, progress)
    resumed = f" ({done.resumed:,} of an earlier run)" if done.resumed else ""
    speaker.result(f"{out}: {counted(done.faces, 'face')} of {counted(done.pictures, 'picture')}{resumed}")
    for one in done.failed[:20]:
        speaker.warn(f"{one.picture}: {one.reason}")
    if done.failed:
        speaker.warn(f"{len(done.failed):,} of {counted(done.pictures, 'picture')} could not be used")
    document: dict[str, Any] = {"file": str(out), **dataclasses.asdict(done)}
    speaker.document(document)
    if done.failed:
        raise typer.Exit(3)
