"""The files in `deploy/`: checked by the linters of their kinds, since no container can be run in the tests."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"


def commands() -> dict[str, list[str]]:
    """The arguments after `serve start` in each file."""
    docker = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    entry, rest = (
        re.findall(r'"([^"]*)"', line) for line in re.findall(r"^(?:ENTRYPOINT|CMD) (.*)$", docker, re.M)
    )
    unit = re.search(r"^ExecStart=(.*)$", (DEPLOY / "multiface.service").read_text(encoding="utf-8"), re.M)
    assert unit is not None
    service = compose()["services"]["multiface"]["command"]
    assert entry[:3] == ["multiface", "serve", "start"]
    return {
        "Dockerfile": [*entry[3:], *rest],
        "compose.yaml": [*entry[3:], *service],
        "multiface.service": unit[1].split()[3:],
    }


def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml", "multiface.service"])
def test_the_start_commands_have_options_that_are_there(name: str) -> None:
    done = subprocess.run(
        ["multiface", "serve", "start", "--help"],
        capture_output=True, text=True, check=True, env={"PATH": _path(), "COLUMNS": "200"},
    )  # fmt: skip
    for argument in commands()[name]:
        if argument.startswith("--"):
            assert re.search(rf"{argument}\b", done.stdout), argument


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_the_dockerfile() -> None:
    done = subprocess.run(["hadolint", DEPLOY / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER 10001:10001$", text, re.M) and "HEALTHCHECK" in text
    assert "--no-index" in text  # the second stage installs wheels and nothing else


def test_compose_has_no_secret_and_is_open_to_this_machine_alone() -> None:
    services = compose()["services"]
    for service in services.values():
        for text in (service.get("environment") or {}).values():
            assert "PASSWORD" not in text or "${POSTGRES_PASSWORD:?" in text
    assert services["multiface"]["read_only"] is True and services["multiface"]["cap_drop"] == ["ALL"]
    assert "ports" not in services["multiface"] and "ports" not in services["database"]
    assert all(port.startswith("${MULTIFACE_LISTEN:-127.0.0.1}:") for port in services["proxy"]["ports"])
    assert services["multiface"]["depends_on"]["database"]["condition"] == "service_healthy"
    named = set(compose()["volumes"])
    for service in services.values():
        assert {one.partition(":")[0] for one in service["volumes"]} <= named


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "multiface.service").read_text(encoding="utf-8")
    unit = tmp_path / "multiface.service"
    unit.write_text(text.replace("/opt/multiface/bin/multiface", "/bin/true"), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    # From 0 (shut off) to 10 (open): ours is about 1.5.
    kept = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", unit],
        capture_output=True,
        text=True,
    )
    assert kept.returncode == 0, kept.stdout[-500:]


def _path() -> str:
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"
