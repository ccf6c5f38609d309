"""Many files that are read here and there, of which only so many stand open at a time."""

import os
import threading
from collections import OrderedDict
from pathlib import Path

from multiface.errors import DataSetError
from multiface.regular_file import regular_descriptor

_OPEN = 64
"""Files that stand open; most systems allow a process 1,024."""


class OpenFiles:
    """Files that keep the sizes they have now. Threads and forked processes may share one; a pickled one opens its
    files anew.
    """

    def __init__(self, paths: tuple[Path, ...], sizes: tuple[int, ...]) -> None:
        self.paths, self.sizes = paths, sizes
        self._descriptors: OrderedDict[int, int] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["OpenFiles"], tuple[tuple[Path, ...], tuple[int, ...]]]:
        return OpenFiles, (self.paths, self.sizes)

    def __del__(self) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)

    def read(self, number: int, offset: int, size: int) -> bytes:
        """`size` bytes of a file. Raises DataSetError where it cannot be read or has another size than it had."""
        try:
            with self._lock:
                content = os.pread(self._descriptor(number), size, offset)
        except OSError as error:
            raise DataSetError(
                f"{self.paths[number]}: cannot be read ({error.strerror}), though it was there when the set was opened",
                path=self.paths[number],
            ) from error
        if len(content) < size:
            raise self._changed(number)
        return content

    def _descriptor(self, number: int) -> int:
        descriptor = self._descriptors.get(number)
        if descriptor is not None:
            self._descriptors.move_to_end(number)
            return descriptor
        if len(self._descriptors) >= _OPEN:
            os.close(self._descriptors.popitem(last=False)[1])
        descriptor = self._descriptors[number] = regular_descriptor(self.paths[number])
        if os.fstat(descriptor).st_size != self.sizes[number]:
            raise self._changed(number)
        return descriptor

    def _changed(self, number: int) -> DataSetError:
        return DataSetError(
            f"{self.paths[number]}: has changed since the set was opened",
            path=self.paths[number],
            hint="start again",
        )
