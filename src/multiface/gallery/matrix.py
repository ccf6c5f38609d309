"""Everybody of a gallery in memory: the templates, and one mean vector for each person.

Letters: t templates, p people, d numbers in a vector. Vectors are float32 of unit length, so that a dot product is a
cosine, -1..1. Arrays are read-only, since one matrix serves all threads; a change to the gallery makes another one,
which shares the blocks that did not change (`people_index`).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats, Indices, Ints
from multiface.gallery.int8_codes import Codes
from multiface.gallery.large_arrays import joined


@dataclass(frozen=True, eq=False)
class Block:
    """Some people next to one another.

    vectors: float32 (t, d). person_index: (t,) integers, rising from 0 to p - 1 by ones: the position of the person.
    names, ids: p of each. numbers: int64 (p,), rising: the people's rows in the gallery. centres, spread: see `Matrix`.
    """

    vectors: Floats
    person_index: Indices
    names: tuple[str, ...]
    ids: tuple[str, ...]
    numbers: Ints
    centres: Floats
    spread: Floats

    @staticmethod
    def of(
        vectors: Floats,
        person_index: Indices,
        names: tuple[str, ...],
        ids: tuple[str, ...] = (),
        numbers: Ints | None = None,
    ) -> "Block":
        """A block from its templates. Raises ValueError for shapes that do not agree."""
        steps = np.diff(person_index, prepend=-1) if len(person_index) else person_index
        if vectors.ndim != 2 or person_index.shape != (len(vectors),):
            raise ValueError(
                f"shapes do not agree: vectors {vectors.shape}, person_index {person_index.shape}"
            )
        if ((steps != 0) & (steps != 1)).any() or steps.sum() != len(names):
            raise ValueError("person_index must rise from 0 by ones and name everybody")
        ids = ids or names
        if len(ids) != len(names):
            raise ValueError(f"{len(ids)} ids do not fit {len(names)} names")
        if numbers is None:
            numbers = np.arange(len(names), dtype=np.int64)
        centres, spread = means(vectors, np.flatnonzero(steps))
        arrays = (vectors, person_index, numbers, centres, spread)
        vectors, person_index, numbers, centres, spread = (read_only(array) for array in arrays)
        return Block(vectors, person_index, names, ids, numbers, centres, spread)


@dataclass(frozen=True, eq=False)
class Group:
    """Blocks next to one another that are scanned together: large groups are scanned quicker, small blocks are made
    anew quicker.
    """

    blocks: tuple[Block, ...]

    @cached_property
    def numbers(self) -> Ints:
        """The people's numbers."""
        return np.concatenate([block.numbers for block in self.blocks])

    @cached_property
    def codes(self) -> Codes:
        """The centres as small integers, for a quick scan."""
        return Codes.of(np.concatenate([block.centres for block in self.blocks]))


class Matrix:
    """All templates of a gallery.

    vectors: float32 (t, d), unit length, the templates of one person next to one another.
    person_index: (t,) integers, rising from 0 to p - 1: the position in `names`.
    names: p names; each has at least one template. Two people may have one name.
    ids: p ids of people, each its own; the names where none are given.
    first: (p,) the position of each person's first template.
    centres: float32 (p, d), each person's mean vector at unit length (zeros where the mean is zero).
    spread: float32 (p,), 1 minus the length of the mean vector: 0 for one template, more the less they agree.

    reading: the same object for matrices that came one after the other from one reading of the gallery. changed: how
    often a person has changed since then.

    With more than one block the arrays of all are put together when they are first asked for.
    """

    def __init__(
        self, vectors: Floats, person_index: Indices, names: tuple[str, ...], ids: tuple[str, ...] = ()
    ) -> None:
        self.groups: tuple[Group, ...] = (Group((Block.of(vectors, person_index, names, ids),)),)
        self.reading = object()
        self.changed = 0

    @staticmethod
    def of_groups(groups: Sequence[Group], before: "Matrix | None" = None, changed: int = 0) -> "Matrix":
        """A matrix of one group or more, each of one block or more, in the order of the people's numbers.

        before: the one from which it came by a change to so many people; None for one that was read anew.
        """
        matrix = Matrix.__new__(Matrix)
        matrix.groups = tuple(groups)
        matrix.reading = object() if before is None else before.reading
        matrix.changed = 0 if before is None else before.changed + changed
        return matrix

    def of_people(self, numbers: Ints) -> "Matrix":
        """A matrix of those of the people whose rows are among these: int64 (n,). It shares nothing with this one."""
        kept = np.isin(self.numbers, numbers)
        position = np.cumsum(kept) - 1
        templates = kept[self.person_index]
        chosen = np.flatnonzero(kept)
        block = Block.of(
            self.vectors[templates],
            position[self.person_index[templates]],
            tuple(self.names[k] for k in chosen),
            tuple(self.ids[k] for k in chosen),
            self.numbers[kept],
        )
        return Matrix.of_groups([Group((block,))])

    def __len__(self) -> int:
        return self.starts[-1]

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Of all groups."""
        return tuple(block for group in self.groups for block in group.blocks)

    @cached_property
    def starts(self) -> list[int]:
        """The position of each block's first person, and at the end p."""
        return [0, *np.cumsum([len(block.names) for block in self.blocks]).tolist()]

    @property
    def dimension(self) -> int:
        """d."""
        return int(self.blocks[0].vectors.shape[1])

    @cached_property
    def vectors(self) -> Floats:
        """See the class."""
        return read_only(joined([block.vectors for block in self.blocks]))

    @cached_property
    def person_index(self) -> Indices:
        """See the class."""
        return self._joined(
            [block.person_index + start for block, start in zip(self.blocks, self.starts, strict=False)]
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """See the class."""
        return tuple(name for block in self.blocks for name in block.names)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """See the class."""
        return tuple(one for block in self.blocks for one in block.ids)

    @cached_property
    def numbers(self) -> Ints:
        """int64 (p,), rising: the people's rows in the gallery."""
        return self._joined([block.numbers for block in self.blocks])

    @cached_property
    def first(self) -> Indices:
        """See the class."""
        return read_only(np.flatnonzero(np.diff(self.person_index, prepend=-1)))

    @cached_property
    def centres(self) -> Floats:
        """See the class."""
        return read_only(joined([block.centres for block in self.blocks]))

    @cached_property
    def spread(self) -> Floats:
        """See the class."""
        return self._joined([block.spread for block in self.blocks])

    def centres_at(self, positions: Indices) -> Floats:
        """The centres of some people: positions (n,), rising -> float32 (n, d)."""
        of = np.searchsorted(self.starts, positions, side="right") - 1
        found = np.empty((len(positions), self.dimension), np.float32)
        begins = np.flatnonzero(np.diff(of, prepend=-1))
        for begin, end in itertools.pairwise([*begins, len(positions)]):
            block = of[begin]
            found[begin:end] = self.blocks[block].centres[positions[begin:end] - self.starts[block]]
        return found

    @staticmethod
    def _joined(arrays: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        return read_only(arrays[0] if len(arrays) == 1 else np.concatenate(arrays))


def means(vectors: Floats, first: Indices) -> tuple[Floats, Floats]:
    """The mean of each person at unit length, float32 (p, d), and its spread, float32 (p,), as `Matrix` has them.

    vectors: (t, d). first: (p,) the position of each person's first vector.
    """
    centres = np.zeros((len(first), vectors.shape[1]), np.float32)
    spread = np.zeros(len(first), np.float32)
    if len(first):
        sums = np.add.reduceat(vectors, first, axis=0)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        np.divide(sums, lengths, out=centres, where=lengths > 0)
        counts = np.diff(first, append=len(vectors))
        np.clip(1.0 - lengths[:, 0] / counts, 0.0, 1.0, out=spread)
    return centres, spread


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A view that cannot be written through."""
    fixed = array.view()
    fixed.flags.writeable = False
    return fixed
