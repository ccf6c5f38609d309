"""`just bench`: each figure is found in what its script prints, and what is missing is one line."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """`benchmarks/bench.py` as a module."""
    spec = importlib.util.spec_from_file_location("bench", ROOT / "benchmarks" / "bench.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench"] = module
    spec.loader.exec_module(module)
    return module


PRINTED = {
    "help_time.py": "processor time: 0.25 s (median 0.26 s)\n",
    "identify_cost.py": (
        "one photo with start-up: 1.97 s (runs: 1.9, 2.0)\neach further photo: 0.250 s\n"
        "| 640x360 | 1 | 349 |\n| 1280x720 | 1 | 345 |\n| 1280x720 | 4 | 350 |\n| 1920x1080 | 1 | 344 |\n"
        "| 4000x3000 | 1 | 540 |\n| 10000x10000 | 1 | 1470 |\n"
    ),
    "embedder_speed.py": (
        "| 1 | 1 | as published | 9.00 (8.90 to 9.10) | 1.00 (1.00 to 1.00) | 0.0e+00 |\n"
        "| 1 | 1 | as shipped | 4.50 (4.40 to 4.60) | 2.00 (2.00 to 2.10) | 6.0e-07 |\n"
        "| 1 | 1 | as shipped, OpenVINO | 4.00 (3.90 to 4.10) | 2.20 (2.10 to 2.30) | 6.0e-07 |\n"
    ),
    "mtcnn_speed.py": "min face  20: MultiFace 90 ms, facenet-pytorch 270 ms, ratio 3.00 (95 % interval 2.80",
    "head_step.py": (
        "literal  9.00 [8.50, 9.20] s, 16.00 [15.00, 17.00] s CPU, 1007.00 [1000.00, 1010.00] MB extra, loss 1\n"
        "blocked  1.00 [0.90, 1.10] s, 2.00 [1.90, 2.10] s CPU, 49.00 [48.00, 50.00] MB extra, loss 1\n"
        "ratio of seconds: 8.60 [7.60, 8.80]\n"
    ),
    "video_speed.py": "| 640x360 | 236 (230 to 240) | 41.0 | 5.8 (5.6 to 6.0) | 2.00, 2.00 a frame |\n",
    "live_latency.py": "frame to decision: median 94 ms, p95 114 ms, p99 130 ms, most 200 ms\n",
}
FIGURES = {
    "help_time.py": ["0.25 s (median 0.26 s)"],
    "identify_cost.py": ["1.97 s", "0.250 s", "349 / 345 / 344 / 540"],
    "embedder_speed.py": ["2.00 (2.00 to 2.10)", "2.20 (2.10 to 2.30)"],
    "mtcnn_speed.py": ["3.00"],
    "head_step.py": ["8.60 [7.60, 8.80]", "1007.00 / 49.00"],
    "video_speed.py": ["236", "5.8"],
    "live_latency.py": ["median 94 ms, p95 114 ms"],
}


def test_each_figure_is_found_in_what_its_script_prints(bench: ModuleType) -> None:
    assert [row.script for row in bench.ROWS] == list(FIGURES)
    for row in bench.ROWS:
        assert (ROOT / "benchmarks" / row.script).is_file()
        assert bench.figures(row, PRINTED[row.script]) == [
            (what, figure) for (what, _), figure in zip(row.figures, FIGURES[row.script], strict=True)
        ]


def test_what_is_missing_is_one_line(bench: ModuleType, tmp_path: Path) -> None:
    (mtcnn,) = [row for row in bench.ROWS if row.script == "mtcnn_speed.py"]
    absent = bench.Row("help_time.py", "", ("torch_of_nobody",), mtcnn.figures)
    assert bench.measured(absent, {}) == [(mtcnn.figures[0][0], "left out: torch_of_nobody is not installed")]
    broken = bench.Row("video_speed.py", "--no-such-option", (), mtcnn.figures)
    ((what, why),) = bench.measured(broken, {})
    assert what == mtcnn.figures[0][0] and re.match("left out: .*(usage|error|Error)", why)
    names = bench.make_pictures(tmp_path)
    assert all(Path(names[name]).exists() for name in ("group", "people", "a", "b"))
