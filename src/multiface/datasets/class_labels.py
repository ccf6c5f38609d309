"""The people of a set that gives each picture a number or a name, as classes 0..n-1 without gaps."""

from array import array

import numpy as np

from multiface.arrays import Ints


class ClassLabels:
    """Collects the label of one picture after the other; all are numbers, or all are names."""

    def __init__(self) -> None:
        self._values = array("q")
        self._names: dict[str, int] = {}
        self._named: bool | None = None

    def add(self, label: int | str) -> None:
        """One more picture. Raises ValueError, whose text follows the picture's name, for a label that does not do."""
        named = isinstance(label, str)
        if self._named is None:
            self._named = named
        elif self._named != named:
            raise ValueError(
                f"has the {'name' if named else 'number'} {label!r} as its label, but those before have "
                f"{'numbers' if named else 'names'}: a set has one or the other"
            )
        if isinstance(label, str):
            self._values.append(self._names.setdefault(label, len(self._names)))
        elif 0 <= label < 1 << 62:
            self._values.append(label)
        else:
            raise ValueError(f"has the label {label}; wanted a whole number from 0 on, or a name")

    def classes(self) -> tuple[Ints, int]:
        """int64 (n,) classes of the pictures, numbered in the order of the numbers, or of the names as text; and how
        many there are.
        """
        values = np.frombuffer(self._values, np.int64) if self._values else np.empty(0, np.int64)
        if self._named:
            place = np.empty(len(self._names), np.int64)
            place[[self._names[name] for name in sorted(self._names)]] = np.arange(len(self._names))
            return place[values], len(self._names)
        originals, classes = np.unique(values, return_inverse=True)
        return classes.astype(np.int64, copy=False), len(originals)
