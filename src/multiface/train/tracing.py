"""A trace of a few steps by PyTorch's profiler, for chrome://tracing or Perfetto."""

from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

PROFILED = range(5, 10)
"""Which steps are shown, counted from the start of this call: the first ones are slower than the rest."""


class Trace:
    """Profiles the steps PROFILED into `path`; with None nothing."""

    def __init__(self, path: Path | None, device: torch.device) -> None:
        activities = [ProfilerActivity.CPU]
        if device.type == "cuda":
            activities.append(ProfilerActivity.CUDA)
        self._path = path
        self._profile = profile(activities=activities)
        self._running = False

    def before(self, step: int) -> None:
        """To be called before step `step` (from 0) of this call."""
        if self._path is not None and step == PROFILED.start:
            self._profile.start()
            self._running = True

    def after(self, step: int) -> None:
        """To be called behind step `step`."""
        if step + 1 == PROFILED.stop:
            self.close()

    def close(self) -> None:
        """Writes the trace of what there was."""
        if self._running and self._path is not None:
            self._profile.stop()
            self._path.parent.mkdir(parents=True, exist_ok=True)  # of another machine, perhaps
            self._profile.export_chrome_trace(str(self._path))
            self._running = False
