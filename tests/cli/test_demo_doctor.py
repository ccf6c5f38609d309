"""`demo` and `doctor` as on a machine without a network."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiface.images import load_picture
from multiface.weights.openvino_session import has_openvino
from multiface.weights.session import usable_processors

# A port that nobody listens on: whoever asks for a server gets a refusal at once.
DEAD = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"
)
DEFAULTS = {"MULTIFACE_DETECTOR": "", "MULTIFACE_WEIGHTS": "", "MULTIFACE_STORE": "", "MULTIFACE_CACHE": ""}


def without_network() -> tuple[str, ...]:
    """What to put before a command so that it has no network; nothing where the system does not allow it."""
    words = ("unshare", "--net", "--map-root-user")
    if shutil.which(words[0]) and subprocess.run([*words, "true"], capture_output=True).returncode == 0:
        return words
    return ()


def test_demo_offline_with_the_defaults(run: Callable[..., Any], tmp_path: Path) -> None:
    """Nothing but the package: default weights, an empty home, no network."""
    done = run("demo", env=DEAD | DEFAULTS, before=without_network())
    assert done.code == 0, done
    assert done.out.splitlines()[-1] == f"The annotated picture: {tmp_path / 'multiface-demo.png'}"
    assert "recognised Eileen Collins" in done.out
    assert load_picture(tmp_path / "multiface-demo.png").shape == (400, 400, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["multiface-demo.png"], "the home stays empty"


def test_demo_json(call: Callable[..., Any], tmp_path: Path) -> None:
    # No calibration of the package is of this detector with flips.
    how = ("--detector", "yunet", "--flip")
    document = call("demo", "--out", tmp_path / "x.jpg", *how, "--json").document()
    assert (document["name"], document["picture"]) == ("Eileen Collins", str(tmp_path / "x.jpg"))
    assert "measured with the detector" in document["caveat"]
    (face,) = document["faces"]
    assert face["name"] == "Eileen Collins" and face["similarity"] >= face["threshold"]
    assert (tmp_path / "x.jpg").is_file()


def test_doctor_is_well(call: Callable[..., Any]) -> None:
    done = call("doctor", "--json")
    report = done.document()
    assert (done.code, report["ok"], report["problems"]) == (0, True, [])
    assert (report["engine"], report["detector"], report["weights"]) == (
        "cpu",
        "yunet_onet",
        "sface",
    )
    assert report["libraries"]["numpy"] and "cpu" in report["engines"]
    assert report["detection_ms"] > 0 and report["embedding_ms"] > 0
    assert report["licence"] == "Apache-2.0" and "people" in report["calibration"]
    words = " ".join(call("doctor").out.split())
    assert "all is well" in words and "ms a face without flips" in words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--engine cuda", "the engine cuda is not in the installed ONNX Runtime"),
        (f"--threads {usable_processors() + 1}", f"{usable_processors() + 1} threads on"),
        ("--weights sface_zoo", "weights pull sface_zoo"),
        ("--detector scrfd_500m", "weights pull scrfd_500m"),
        ("--detector nonsense", "no detector is named 'nonsense'"),
    ],
)
def test_doctor_says_what_is_wrong(options: str, words: str, call: Callable[..., Any]) -> None:
    done = call("doctor", *options.split(), "--json", "--no-quiet")
    report = done.document()
    assert (done.code, report["ok"]) == (1, False)
    assert any(words in problem for problem in report["problems"])
    assert words in " ".join(done.err.split())


def test_doctor_with_wrong_use(call: Callable[..., Any]) -> None:
    assert call("doctor", "--engine", "gpu").code == 2
    assert call("doctor", "--threads", "0").code == 2


@pytest.mark.skipif(not has_openvino(), reason="the extra [openvino] is not installed")
@pytest.mark.parametrize(("engine", "other"), [("cpu", "openvino"), ("openvino", "cpu")])
def test_doctor_times_the_other_engine(engine: str, other: str, call: Callable[..., Any]) -> None:
    report = call("doctor", "--engine", engine, "--json").document()
    assert (report["ok"], report["engine"], report["other_engine"]) == (True, engine, other)
    clearly = report["other_embedding_ms"] < 0.9 * report["embedding_ms"]
    near = abs(report["other_embedding_ms"] - 0.9 * report["embedding_ms"]) < 0.2
    assert near or report["other_is_faster"] == clearly
    words = " ".join(call("doctor", "--engine", engine).out.split())
    assert f"ms a face on the engine {other}: " in words
