"""A PostgreSQL server of the tests' own, in a folder that is deleted, on a socket in it, and not run by root."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Server:
    """A server that was set up. folder: its data and its socket. user: who runs it; None for who runs the tests."""

    programs: Path
    folder: Path
    user: str | None

    def make(self) -> None:
        """Make its data folder."""
        how = ("-U", "multiface", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        self._run("initdb", "-D", str(self.folder / "data"), *how)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._run(
            "pg_ctl", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-w", "start", "-o",
            f"-c listen_addresses='' -k {self.folder} -c fsync=off -c shared_buffers=32MB",
        )  # fmt: skip

    def stop(self, how: str = "fast") -> None:
        """Stop it: "fast" ends connections, "immediate" is as a power cut."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", how, "-w", "stop")

    def new_database(self, name: str) -> str:
        """The URL of a new database."""
        self._run("createdb", "-h", str(self.folder), "-U", "multiface", "-T", "template0", name)
        return f"postgresql:///{name}?host={self.folder}&user=multiface"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.programs / program), *arguments],
            check=True, capture_output=True, user=self.user, cwd=self.folder, timeout=60,
        )  # fmt: skip


@contextmanager
def running() -> Iterator[Server]:
    """A server that runs; the test is skipped where PostgreSQL or psycopg is not installed.

    `MULTIFACE_TEST_POSTGRES` is the folder of another version's programs (`initdb`, ...); default: the system's newest.
    """
    pytest.importorskip("psycopg", reason="needs psycopg: the extra [postgres]")
    named = os.environ.get("MULTIFACE_TEST_POSTGRES")
    places = [Path(named)] if named else [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which("initdb")
    places += [Path(found).parent] if found else []
    programs = next((place for place in places if (place / "initdb").exists()), None)
    if programs is None:
        pytest.skip("needs PostgreSQL (Debian: apt-get install postgresql)")
    user = "nobody" if os.name == "posix" and os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="mf-pg-"))
    try:
        folder.chmod(0o755)
        if user is not None:
            shutil.chown(folder, user)
        server = Server(programs, folder, user)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
