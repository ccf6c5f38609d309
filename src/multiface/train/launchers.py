"""What a launcher says about this process: its number, how many there are, and where they meet.

torchrun, Slurm's srun, Open MPI and MPICH start one command several times and tell each process its number in the
environment. RANK and WORLD_SIZE win over the rest: whoever sets them means this run. A launcher of several
processes that names no meeting point is refused, since otherwise each of them would believe itself to be the first.

Sources: PyTorch, "Environment variable initialization" and torchrun; srun(1), "OUTPUT ENVIRONMENT VARIABLES";
mpirun(1) of Open MPI; Hydra's PMI variables.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from multiface.errors import UsageError

PORT = 29500
"""Where the first process listens if MASTER_PORT is not set, as in PyTorch."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One of several processes, 0 <= rank < processes, processes >= 2.

    local: its number on its machine; None where the launcher does not say. address, port: where the processes meet.
    hosted: the launcher itself (torchrun) keeps the meeting point; otherwise the first process does. attempt: how
    often the launcher has started the run anew.
    """

    rank: int
    processes: int
    local: int | None
    address: str
    port: int
    hosted: bool = False
    attempt: str = "0"


@dataclass(frozen=True, slots=True)
class _Launcher:
    """rank, processes, local: names of variables. line: a command that works."""

    name: str
    rank: str
    processes: str
    local: tuple[str, ...]
    line: str


_MPI_LINE = "mpirun -np {n} -x MASTER_ADDR=HOST -x MASTER_PORT=29500 multiface train ..., HOST being that of process 0"
_LAUNCHERS = (
    _Launcher(
        "the environment (RANK, WORLD_SIZE)",
        "RANK",
        "WORLD_SIZE",
        ("LOCAL_RANK",),
        "MASTER_ADDR=HOST MASTER_PORT=29500 before each command, HOST being that of process 0; torchrun sets them",
    ),
    _Launcher(
        "Slurm",
        "SLURM_PROCID",
        "SLURM_NTASKS",
        ("SLURM_LOCALID",),
        "export MASTER_PORT=29500 "
        'MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1); '
        "srun --ntasks={n} --kill-on-bad-exit=1 multiface train ...",
    ),
    _Launcher(
        "Open MPI",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        ("OMPI_COMM_WORLD_LOCAL_RANK",),
        _MPI_LINE,
    ),
    _Launcher(
        "MPI",
        "PMI_RANK",
        "PMI_SIZE",
        ("MPI_LOCALRANKID", "PMI_LOCAL_RANK"),
        _MPI_LINE.replace(
            "-x MASTER_ADDR=HOST -x MASTER_PORT=29500", "-env MASTER_ADDR HOST -env MASTER_PORT 29500"
        ),
    ),
)


def launch_of(environment: Mapping[str, str]) -> Launch | None:
    """What the environment says; None for a single process.

    Raises UsageError, with the line that works, where several processes are started without a meeting point, and for
    numbers that make no sense.
    """
    for launcher in _LAUNCHERS:
        given = [name for name in (launcher.rank, launcher.processes) if environment.get(name)]
        if not given:
            continue
        if launcher.rank == "RANK" and len(given) == 1:
            (other,) = {launcher.rank, launcher.processes} - set(given)
            raise UsageError(
                f"{given[0]} is set and {other} is not",
                hint="set both, or neither for a single process",
            )
        if launcher.processes not in given:
            continue  # a number without a count: nobody started several
        processes = _whole(environment, launcher.processes, 1)
        if processes == 1:
            return None
        return _joined(launcher, processes, environment)
    return None


def _joined(launcher: _Launcher, processes: int, environment: Mapping[str, str]) -> Launch:
    line = launcher.line.format(n=processes)
    alone = "(RANK=0 WORLD_SIZE=1 before the command runs it in this process alone)"
    if not environment.get(launcher.rank):
        raise UsageError(
            f"{launcher.name} holds {processes} tasks here, but did not start this process as one of them",
            hint=f"{line} {alone}",
        )
    rank = _whole(environment, launcher.rank, 0)
    if rank >= processes:
        raise UsageError(f"{launcher.rank} is {rank}, but there are only {processes} processes, from 0 on")
    if not environment.get("MASTER_ADDR"):
        raise UsageError(
            f"{launcher.name} started {processes} processes, but MASTER_ADDR does not say where they meet",
            hint=f"{line} {alone}",
        )
    local = next((_whole(environment, name, 0) for name in launcher.local if environment.get(name)), None)
    return Launch(
        rank=rank,
        processes=processes,
        local=local,
        address=environment["MASTER_ADDR"],
        port=_whole(environment, "MASTER_PORT", 1) if environment.get("MASTER_PORT") else PORT,
        hosted=environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
        attempt=environment.get("TORCHELASTIC_RESTART_COUNT", "0"),
    )


def _whole(environment: Mapping[str, str], name: str, least: int) -> int:
    text = environment[name]
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise UsageError(f"{name} is {text!r}, wanted a whole number of at least {least}")
    return int(text)
