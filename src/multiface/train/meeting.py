"""The processes of a run meet, prepare, join for collectives, and end together.

They meet at a store of names and values (PyTorch's TCPStore). It carries no tensors and nobody has to hurry, so what
takes long (aligning photos) is done between meeting and joining. From the meeting on each watches over the others
(see watch.py).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed import HashStore, PrefixStore, Store, TCPStore  # type: ignore[attr-defined]

from multiface.errors import InputError, UsageError
from multiface.train import watch
from multiface.train.launchers import Launch
from multiface.train.processes import Place

COLLECTIVE = timedelta(minutes=30)
"""So long a process waits in a collective; only for what nobody can tell of, such as a network that is cut."""


class Meeting:
    """A single process, or one of several that have found each other. rank, processes: as in Place."""

    def __init__(self, launch: Launch | None, store: Store | None) -> None:
        self.rank = 0 if launch is None else launch.rank
        self.processes = 1 if launch is None else launch.processes
        self._launch = launch
        self._store = store
        self._watch = None if launch is None or store is None else watch.Watch(launch, store)

    @property
    def first(self) -> bool:
        """Whether this process speaks for the run."""
        return self.rank == 0

    @contextmanager
    def joined(self, device: str | None, grouped: bool = False) -> Iterator[Place]:
        """Joins all processes, once each of them is here, for collectives; leaves them at the end.

        device: "cpu", "cuda", ...; None takes a GPU where there is one. grouped: a group even for a single process,
        which sampled classes need. Raises UsageError for a device that this machine does not have.
        """
        kind = _device(device, self._launch)
        if self._store is None and not grouped:
            yield Place(kind)
            return
        self._until_all_are_here()
        backend = "nccl" if kind.type == "cuda" else "gloo"
        store = HashStore() if self._store is None else PrefixStore("group", self._store)
        well = False
        with self._own_reason():
            dist.init_process_group(
                backend,
                store=store,
                rank=self.rank,
                world_size=self.processes,
                timeout=COLLECTIVE,
                device_id=kind if kind.type == "cuda" else None,
            )
            group = dist.group.WORLD
            assert group is not None
            try:
                yield Place.of_group(group, kind)
                well = True
            finally:
                if not well and backend == "nccl":
                    group.abort()  # else it would wait for processes that are gone
                dist.destroy_process_group()

    def told(self, name: str, text: str) -> str:
        """What the first process says under this name, once, in every process."""
        if self._store is None or self._watch is None:
            return text
        with self._own_reason():
            if self.first:
                self._store.set(name, text)
            while not self._store.check([name]):
                self._watch.raise_failure()
                time.sleep(0.05)
            return self._store.get(name).decode()

    def _until_all_are_here(self) -> None:
        """Waits as long as it takes, unless one fails."""
        if self._store is None or self._watch is None:
            return
        with self._own_reason():
            self._store.add("here", 1)
            while self._store.add("here", 0) < self.processes:
                self._watch.raise_failure()
                time.sleep(0.05)

    @contextmanager
    def _own_reason(self) -> Iterator[None]:
        """An error of PyTorch in here may come from another process's end: then that one's reason is the error."""
        try:
            yield
        except RuntimeError as error:
            failure = None if self._watch is None else self._watch.failure_soon()
            if failure is None:
                raise
            raise InputError(failure) from error

    def fail(self, error: BaseException) -> None:
        """Tells the others why this process ends; not if it ends because another one did."""
        if self._watch is not None:
            self._watch.tell(error)

    def end(self, well: bool) -> None:
        """Leaves; whoever keeps the store stays until the others need it no more."""
        if self._watch is not None:
            self._watch.end(well)


@contextmanager
def meet(launch: Launch | None) -> Iterator[Meeting]:
    """Finds the other processes, and tells them what error ends this block.

    Raises InputError where the meeting point cannot be reached within watch.FIND, or another process failed.
    """
    if launch is None:
        yield Meeting(None, None)
        return
    meeting = Meeting(launch, _store(launch))
    well = False
    try:
        yield meeting
        well = True
    except BaseException as error:
        meeting.fail(error)
        raise
    finally:
        meeting.end(well)


def _store(launch: Launch) -> Store:
    where = f"{launch.address} port {launch.port}"
    try:
        store = TCPStore(
            launch.address,
            launch.port,
            launch.processes,
            is_master=launch.rank == 0 and not launch.hosted,
            timeout=watch.FIND,
            wait_for_workers=False,
        )
    except (RuntimeError, ValueError) as error:
        what = (
            "cannot listen at" if launch.rank == 0 and not launch.hosted else "cannot reach the first one at"
        )
        raise InputError(
            f"process {launch.rank} of {launch.processes} {what} {where} ({str(error).splitlines()[0]})",
            hint="check MASTER_ADDR and MASTER_PORT, and that the first process runs",
        ) from error
    return PrefixStore(f"multiface {launch.attempt}", store)


def _device(device: str | None, launch: Launch | None) -> torch.device:
    name = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"device {name!r}: PyTorch finds no GPU here", hint="use cpu")
    if name == "cuda":  # NCCL wants to know which
        own = torch.cuda.current_device() if launch is None else _gpu(launch, torch.cuda.device_count())
        name = f"cuda:{own}"
    try:
        kind = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"device {name!r} is none that PyTorch knows", hint="use cpu or cuda") from error
    if kind.type == "cuda":
        torch.cuda.set_device(kind)
    return kind


def _gpu(launch: Launch, seen: int) -> int:
    """Which of the GPUs that this process sees is its own. A launcher may show each process its own only."""
    if seen == 1:
        return 0
    if launch.local is None:
        return launch.rank % seen
    if launch.local >= seen:
        raise UsageError(
            f"process {launch.rank} is number {launch.local} of its machine (from 0), which has {seen} GPUs",
            hint=f"start at most {seen} processes a machine",
        )
    return launch.local
