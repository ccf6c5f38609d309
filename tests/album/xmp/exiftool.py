"""ExifTool, the field's reader and writer of XMP, run by tests; they are skipped where it is not installed."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

needs_exiftool = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="needs ExifTool (Debian: apt-get install libimage-exiftool-perl)"
)


def exiftool(*arguments: str | Path) -> str:
    """Run it; what it prints. Its arguments go through a file, so that any text arrives."""
    lines = "".join(f"{one}\n" for one in map(str, arguments))
    done = subprocess.run(
        ["exiftool", "-@", "-"], input=lines, capture_output=True, text=True, check=False, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def xmp_of(file: Path) -> dict[str, Any]:
    """All XMP of a file as ExifTool reads it, without the name of the program that wrote it."""
    (read,) = json.loads(exiftool("-j", "-struct", "-G1", "-XMP:all", "-charset", "filename=utf8", file))
    return {key: value for key, value in read.items() if key not in ("SourceFile", "XMP-x:XMPToolkit")}


def write_regions(
    file: Path, *regions: tuple[str, tuple[float, float, float, float]], size: tuple[int, int]
) -> None:
    """Let it write regions of faces (name; x, y, w, h as MWG has them) into a picture or a sidecar."""
    faces = ",".join(
        f"{{Area={{X={x},Y={y},W={w},H={h},Unit=normalized}},Name={name},Type=Face}}"
        for name, (x, y, w, h) in regions
    )
    info = f"{{AppliedToDimensions={{W={size[0]},H={size[1]},Unit=pixel}},RegionList=[{faces}]}}"
    where = ["-overwrite_original", file] if file.exists() else ["-o", file]
    exiftool(f"-XMP-mwg-rs:RegionInfo={info}", *where)
