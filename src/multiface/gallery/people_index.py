"""The matrix of a gallery, kept up to date by what changed.

Triggers in the gallery write down the number of each person whose name or templates change (`touched`). Who has seen
the rows up to one of them reads only the people named in those after it, and makes only their blocks anew; with too
many of them, or when the oldest are gone already, everything is read.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np

from multiface.arrays import Ints
from multiface.gallery.contents import VectorOrigin
from multiface.gallery.int8_codes import Codes
from multiface.gallery.large_arrays import large_array
from multiface.gallery.matrix import Block, Group, Matrix, means, read_only
from multiface.gallery.people_vectors import People, all_people, some_people
from multiface.gallery.runs import taken
from multiface.gallery.sql import Connection

BLOCK = 1_024
"""People in a block of a matrix that was read whole; a block grows to half as many again before it is parted."""
GROUP = 16
"""Blocks in a group, the same."""
_MANY = 2_000
"""From so many changed people on, and a quarter of all, everything is read."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A matrix, and the last row of `touched` that it shows."""

    matrix: Matrix
    touched: int


def read_all(connection: Connection, origin: VectorOrigin) -> Known:
    """Read everybody. Raises BadContent if a vector is not what the gallery holds."""
    _, last = _touched(connection)
    everybody = all_people(connection, origin)
    centres = large_array((len(everybody.numbers), origin.dimension))
    blocks = []
    for at in range(0, max(1, len(everybody.numbers)), BLOCK):
        part = everybody.part(at, at + BLOCK)
        block = Block.of(part.vectors, part.person_index, part.names, part.ids, part.numbers)
        centres[at : at + BLOCK] = block.centres
        blocks.append(replace(block, centres=read_only(centres[at : at + BLOCK])))
    groups = [Group(tuple(blocks[at : at + GROUP])) for at in range(0, len(blocks), GROUP)]
    matrix = Matrix.of_groups(groups)
    matrix.__dict__.update(
        vectors=read_only(everybody.vectors), centres=read_only(centres)
    )  # joined as they are
    return Known(matrix, last)


def brought_up_to_date(connection: Connection, known: Known, origin: VectorOrigin) -> Known:
    """The same if nothing changed, else another, with what did. Raises BadContent as `read_all`."""
    oldest, last = _touched(connection)
    if last == known.touched:
        return known
    if last < known.touched or oldest > known.touched + 1:
        return read_all(connection, origin)
    rows = connection.execute("SELECT DISTINCT person_id FROM touched WHERE id > ?", (known.touched,))
    changed = sorted(int(number) for (number,) in rows.fetchall())
    if len(changed) > max(_MANY, len(known.matrix) // 4):
        return read_all(connection, origin)
    now = some_people(connection, changed, origin)
    groups: list[Group] = []
    for group, numbers in _owners(known.matrix.groups, changed):
        groups += _changed_group(group, numbers, now) if numbers else [group]
    kept = [group for group in groups if len(group.numbers)] or groups[:1]
    return Known(Matrix.of_groups(kept, known.matrix, len(changed)), last)


class _Numbered(Protocol):
    @property
    def numbers(self) -> Ints: ...


Part = TypeVar("Part", bound=_Numbered)


def _owners(parts: Sequence[Part], numbers: Sequence[int]) -> list[tuple[Part, list[int]]]:
    """Each part with those of the numbers, rising, that are in it, or come before its last, or after all others."""
    owned: list[list[int]] = [[] for _ in parts]
    lasts = [int(part.numbers[-1]) if len(part.numbers) else -1 for part in parts]
    for number in numbers:
        owned[min(bisect_left(lasts, number), len(parts) - 1)].append(number)
    return list(zip(parts, owned, strict=True))


def _changed_group(group: Group, numbers: Sequence[int], now: People) -> list[Group]:
    """A group with some people as they are now; two where it has grown too large."""
    blocks: list[Block] = []
    for block, mine in _owners(group.blocks, numbers):
        blocks += _parts(_changed(block, np.array(mine, np.int64), now)) if mine else [block]
    blocks = [block for block in blocks if len(block.numbers)] or blocks[:1]
    after = Group(tuple(blocks))
    if "codes" in group.__dict__:  # worked out before; made anew only for those who changed
        fresh = now.taken(np.flatnonzero(np.isin(now.numbers, numbers)))
        centres, _ = means(fresh.vectors, np.flatnonzero(np.diff(fresh.person_index, prepend=-1)))
        positions = np.where(
            np.isin(after.numbers, fresh.numbers),
            len(group.numbers) + np.searchsorted(fresh.numbers, after.numbers),
            np.searchsorted(group.numbers, after.numbers),
        )
        after.__dict__["codes"] = group.codes.taken(positions, Codes.of(centres))
    return _parted(after)


def _parted(group: Group) -> list[Group]:
    if len(group.blocks) < 2 or len(group.numbers) <= GROUP * BLOCK * 3 // 2:
        return [group]
    half = len(group.blocks) // 2
    parts = [Group(group.blocks[:half]), Group(group.blocks[half:])]
    if "codes" in group.__dict__:
        people = len(parts[0].numbers)
        parts[0].__dict__["codes"] = group.codes.part(0, people)
        parts[1].__dict__["codes"] = group.codes.part(people, len(group.numbers))
    return parts


def last_touched(connection: Connection) -> int:
    """The last row of `touched`; 0 where there is none."""
    return _touched(connection)[1]


def _touched(connection: Connection) -> tuple[int, int]:
    """The first and the last row; 0 and 0 where there is none."""
    oldest, last = connection.execute(
        "SELECT (SELECT min(id) FROM touched), (SELECT max(id) FROM touched)"
    ).fetchone()
    return int(oldest or 0), int(last or 0)


def _changed(block: Block, numbers: Ints, now: People) -> Block:
    """A block with some people as they are now, or without them where they are not in `now`."""
    mine = np.flatnonzero(np.isin(now.numbers, numbers))
    new = now.taken(mine)
    stays = ~np.isin(block.numbers, numbers)
    stay = np.flatnonzero(stays)
    # Positions in the old people followed by the new ones, in the order of their numbers.
    both = np.concatenate([block.numbers[stay], new.numbers])
    order = np.argsort(both, kind="stable")
    people = np.concatenate([stay, len(block.numbers) + np.arange(len(mine))])[order]
    owners = np.concatenate(
        [block.numbers[block.person_index[stays[block.person_index]]], new.numbers[new.person_index]]
    )
    rows = np.concatenate(
        [np.flatnonzero(stays[block.person_index]), len(block.vectors) + np.arange(len(new.vectors))]
    )[np.argsort(owners, kind="stable")]
    centres, spread = means(new.vectors, np.flatnonzero(np.diff(new.person_index, prepend=-1)))
    names, ids = (*block.names, *new.names), (*block.ids, *new.ids)
    numbers = both[order]
    return Block(
        read_only(taken(block.vectors, new.vectors, rows)),
        read_only(np.searchsorted(numbers, np.sort(owners, kind="stable"))),
        tuple(map(names.__getitem__, people.tolist())),
        tuple(map(ids.__getitem__, people.tolist())),
        read_only(numbers),
        read_only(taken(block.centres, centres, people)),
        read_only(taken(block.spread, spread, people)),
    )


def _parts(block: Block) -> list[Block]:
    people = len(block.names)
    if people <= BLOCK * 3 // 2:
        return [block]
    parts = []
    for at in range(0, people, BLOCK):
        chosen = slice(at, min(at + BLOCK, people))
        begin, end = np.searchsorted(block.person_index, [chosen.start, chosen.stop])
        parts.append(
            Block(
                block.vectors[begin:end],
                read_only(block.person_index[begin:end] - at),
                block.names[chosen],
                block.ids[chosen],
                block.numbers[chosen],
                block.centres[chosen],
                block.spread[chosen],
            )
        )
    return parts
