"""A Ray cluster as workers.

Ray Data hands the tasks out, starts workers as processors are free, and gives a task of a worker or machine that died
to another one. Each machine needs MultiFace of this version, the weights, and sees the pictures under the same paths.

Ray sends usage statistics to its makers unless it is told not to; here it is told so before it is loaded. In a cluster
that others started, its head decides: `RAY_USAGE_STATS_ENABLED=0 ray start --head`. A cluster of our own listens on
this machine alone and has no dashboard. Ray sends functions as pickles, so whoever can reach a cluster's ports and has
its token can run programs on it: keep them behind a firewall.
"""

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import lru_cache
from importlib import import_module
from typing import Any

from multiface.bulk.tasks import Job, Workers
from multiface.errors import ExtraMissing, MultifaceError, NotAvailable, how_to_install
from multiface.version import __version__

LOCAL = "local"
"""The address of a cluster that is started on this machine, and ends with the work."""
_LOOPBACK = "127.0.0.1"
_SECONDS = 5.0
"""A head that does not take a connection within this time is away."""
_BLOCKS = 2000
"""Pieces into which tasks are cut at most: what a worker is given at once, and what is done again when it dies."""


@contextmanager
def cluster(address: str) -> Iterator[Workers]:
    """Workers of the cluster at this address: HOST:PORT of its head, "auto" for the one of this machine, or "local".

    Raises ExtraMissing where Ray is not installed, NotAvailable where no cluster answers.
    """
    _require_head(address)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before Ray is imported; its processes inherit it
    try:
        ray: Any = import_module("ray")
        import_module("ray.data")
    except ImportError as error:
        raise ExtraMissing("--ray needs Ray", hint=how_to_install("ray")) from error
    _quiet(ray)
    own: dict[str, Any] = {}
    if address == LOCAL:
        own = {"include_dashboard": False, "_node_ip_address": _LOOPBACK}
    if address == LOCAL or _host(address) in (_LOOPBACK, "localhost"):
        # Elsewhere than on macOS and Windows Ray would take another address of this machine in place of this one.
        constants: Any = import_module("ray._private.ray_constants")
        constants.ENABLE_RAY_CLUSTER = False
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **own)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise _away(address, str(error)) from error
    try:
        if address == LOCAL and ray.util.get_node_ip_address() != _LOOPBACK:
            raise NotAvailable(
                "--ray local: this version of Ray listens on the network", hint="start a cluster yourself"
            )
        with redirect_stdout(sys.stderr):  # Ray prints there that a worker died
            yield lambda job, tasks: _answers(ray, job, tasks)
    finally:
        ray.shutdown()


def do_batch(batch: dict[str, Any], job: Job, version: str) -> dict[str, Any]:
    """One task, as Ray Data hands it to a worker. Raises NotAvailable where MultiFace is of another version."""
    if version != __version__:
        raise NotAvailable(
            f"a machine of the cluster has MultiFace {__version__}, this one {version}",
            hint="install the same version",
        )
    do = _opened(job)
    return {"answer": [do(bytes(task)) for task in batch["task"]]}


@lru_cache(maxsize=1)
def _opened(job: Job) -> Callable[[bytes], bytes]:
    """The job, as a worker's process opened it for its first task."""
    return job.open()


def _answers(ray: Any, job: Job, tasks: Sequence[bytes]) -> Iterator[bytes]:
    if not tasks:
        return
    given = ray.data.from_items(
        [{"task": task} for task in tasks], override_num_blocks=min(len(tasks), _BLOCKS)
    )
    # Tasks, not actors: an actor's restart fails where the machine that keeps its arguments is lost.
    done = given.map_batches(
        do_batch, fn_kwargs={"job": job, "version": __version__}, batch_size=1, num_cpus=1
    )
    try:
        for row in done.iter_rows():
            yield row["answer"]
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        what = cause if isinstance(cause, MultifaceError) else error
        raise NotAvailable(f"the cluster: {str(what).strip().splitlines()[-1]}") from error


def _host(address: str) -> str:
    return address.removeprefix("ray://").rpartition(":")[0]


def _require_head(address: str) -> None:
    """Raises NotAvailable where nothing listens at HOST:PORT; Ray itself would try for minutes."""
    host, port = _host(address), address.rpartition(":")[2]
    if not host or not port.isdecimal():
        return  # "auto" and "local"; Ray says what is wrong with anything else
    try:
        socket.create_connection((host, int(port)), _SECONDS).close()
    except OSError as error:
        raise _away(address, error.strerror or str(error)) from error


def _away(address: str, reason: str) -> NotAvailable:
    return NotAvailable(
        f"--ray {address}: no cluster answers there ({reason})",
        hint="give HOST:PORT of its head, as `ray start --head` prints it, or `local`",
    )


def _quiet(ray: Any) -> None:
    """Results in the order of the tasks; neither bars nor tips of Ray's own."""
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
