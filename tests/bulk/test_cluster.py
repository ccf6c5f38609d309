"""A real Ray cluster of two nodes, of which a worker and then a node are killed: the same bytes as on one machine."""

import filecmp
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from multiface.bulk.cluster import cluster
from multiface.errors import ExtraMissing, NotAvailable
from tests.drawn_faces import save_people

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="the extra [ray] is not installed (300 MB: not in the test command)"
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save_people(tmp_path_factory.mktemp("photos"), {"ada": 24, "bob": 24, "dora": 24})
    (folder / "bob" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return folder


@pytest.fixture
def two_nodes() -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).with_name("two_nodes.py")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as nodes:
        yield nodes
        assert nodes.stdin is not None
        nodes.stdin.close()
        nodes.wait(60)


def multiface(*arguments: object, folder: Path) -> subprocess.Popen[str]:
    """The command, running."""
    environment = os.environ | {
        "MULTIFACE_STORE": str(folder / "store"),
        "MULTIFACE_CACHE": str(folder / "cache"),
        "RAY_USAGE_STATS_ENABLED": "1",  # overruled
    }
    command = [sys.executable, "-m", "multiface", *map(str, arguments), "--json"]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
    )


def document(running: subprocess.Popen[str], code: int = 3) -> dict[str, object]:
    """What the command printed; 3: the broken photo is told."""
    out, err = running.communicate(timeout=400)
    assert running.returncode == code, err
    told: dict[str, object] = json.loads(out)
    return told


def kill_a_worker(nodes: subprocess.Popen[str], running: subprocess.Popen[str]) -> None:
    """With SIGKILL, while it does a task."""
    while running.poll() is None:
        for one in psutil.Process(nodes.pid).children(recursive=True):
            try:
                if "do_batch" in " ".join(one.cmdline()):
                    one.send_signal(signal.SIGKILL)
                    return
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.02)
    raise AssertionError(f"the work was over before a worker was seen: {running.communicate()}")


@needs_ray
def test_a_cluster_that_loses_a_worker_and_a_node_gives_the_same_bytes(
    photos: Path, two_nodes: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert two_nodes.stdin is not None and two_nodes.stdout is not None
    prepare = ("prepare", "photos", photos, "--detector", "yunet")
    embed = ("embed", photos, "--detector", "yunet")
    here = document(multiface(*prepare, "--out", "one", folder=tmp_path))
    document(multiface(*embed, "--out", "one.parquet", folder=tmp_path))
    address = two_nodes.stdout.readline().strip()
    assert address.startswith("127.0.0.1:")

    running = multiface(*embed, "--out", "two.parquet", "--ray", address, folder=tmp_path)
    kill_a_worker(two_nodes, running)
    told = document(running)
    assert told["faces"] == 72 and told["pictures"] == 73
    assert (tmp_path / "two.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()

    running = multiface(*prepare, "--out", "two", "--ray", address, folder=tmp_path)
    kill_a_worker(two_nodes, running)
    two_nodes.stdin.write("kill the second node\n")
    two_nodes.stdin.flush()
    assert two_nodes.stdout.readline() == "killed\n"
    there = document(running)
    assert {**there, "folder": ""} == {**here, "folder": ""}
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*"))
    assert files == sorted(path.relative_to(tmp_path / "two") for path in (tmp_path / "two").rglob("*"))
    assert len(files) > 72
    for file in files:
        if (tmp_path / "one" / file).is_file():
            assert filecmp.cmp(tmp_path / "one" / file, tmp_path / "two" / file, shallow=False), file


@needs_ray
def test_a_cluster_of_our_own_tells_nobody_and_listens_to_nobody() -> None:
    """No usage statistics, no dashboard, and no port but on the loopback address."""
    script = """
import psutil
from multiface.bulk.cluster import cluster
with cluster("local"):
    import ray
    from ray._common.usage.usage_lib import usage_stats_enabled
    told = ray.get(ray.remote(lambda: __import__("os").environ["RAY_USAGE_STATS_ENABLED"]).remote())
    processes = psutil.Process().children(recursive=True)
    places = {c.laddr.ip for p in processes for c in p.net_connections("inet")}
    places |= {c.raddr.ip for p in processes for c in p.net_connections("inet") if c.raddr}
    heads = [p for p in processes if any(part.endswith("dashboard.py") for part in p.cmdline())]
    dashboards = [c for p in heads for c in p.net_connections("inet") if c.status == "LISTEN"]
print("told", usage_stats_enabled(), told, sorted(places), len(dashboards))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert "told False 0 ['127.0.0.1', '::ffff:127.0.0.1'] 0\n" in done.stdout, done.stdout + done.stderr


@needs_ray
def test_a_cluster_that_is_not_there_is_said_at_once() -> None:
    with (
        pytest.raises(NotAvailable, match=r"--ray 127.0.0.1:1: no cluster answers there"),
        cluster("127.0.0.1:1"),
    ):
        pass


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ExtraMissing, match=r"--ray needs Ray; pip install '.\[ray\]'"), cluster("local"):
        pass
