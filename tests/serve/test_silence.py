"""No library of the service reports anything, whatever the environment asks it to."""

import json
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.cli.conftest import cache, environment, first_line, start, store

__all__ = ["cache", "environment", "first_line", "start", "store"]


def test_no_library_sends_traces(
    environment: dict[str, str],
    start: Callable[..., "subprocess.Popen[str]"],
    first_line: Callable[["subprocess.Popen[str]"], str],
    tmp_path: Path,
) -> None:
    """FastAPI has telemetry of its own, which variables switch on; it would not even start without its exporters."""
    heard = list[object]()
    with socket.create_server(("127.0.0.1", 0)) as collector:
        threading.Thread(target=lambda: heard.append(collector.accept()), daemon=True).start()
        for name, value in {
            "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.getsockname()[1]}",
        }.items():
            environment[name] = value
        process = start("serve", "start", "--port", "0", "--gallery", tmp_path / "g.sqlite", "--json")
        address = json.loads(first_line(process))["address"].removesuffix("/v1")
        assert httpx.get(f"{address}/livez", timeout=30).status_code == 200
        httpx.get(f"{address}/v1/people?q=Secretname")
        process.terminate()
        process.communicate(timeout=30)
    assert not heard
