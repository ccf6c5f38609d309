"""The matrix of a gallery, kept up to date by what changed.

Triggers in the gallery write down the number of each person whose name or templates change (`touched`). Who has seen
the rows up to one of them reads only the people named in those after it, and makes only their blocks anew; with too
many of them, or when the oldest are gone already, everything is read.
"""

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from multiface.gallery.engine import VectorOrigin
from multiface.gallery.matrix import Block, Matrix, means, read_only
from multiface.gallery.people_vectors import People, all_people, some_people
from multiface.gallery.runs import taken
from multiface.gallery.sql import Connection

BLOCK = 16_384
"""People in a block of a matrix that was read whole; a block grows to half as many again before it is parted."""
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
    blocks = []
    for at in range(0, max(1, len(everybody.numbers)), BLOCK):
        block = everybody.part(at, at + BLOCK)
        blocks.append(Block.of(block.vectors, block.person_index, block.names, block.ids, block.numbers))
    return Known(Matrix.of_blocks(blocks), last)


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
    blocks = list(known.matrix.blocks)
    # A number beyond the last of a block belongs to the next; one beyond all to the last.
    lasts = [int(block.numbers[-1]) if len(block.numbers) else -1 for block in blocks]
    of_block: dict[int, list[int]] = {}
    for number in changed:
        of_block.setdefault(min(bisect_right(lasts, number - 1), len(blocks) - 1), []).append(number)
    for position, numbers in of_block.items():
        blocks[position] = _changed(blocks[position], np.array(numbers, np.int64), now)
    parted = [part for block in blocks for part in _parts(block)]
    kept = [block for block in parted if len(block.names)] or parted[:1]
    return Known(Matrix.of_blocks(kept), last)


def _touched(connection: Connection) -> tuple[int, int]:
    """The first and the last row; 0 and 0 where there is none."""
    oldest, last = connection.execute(
        "SELECT (SELECT min(id) FROM touched), (SELECT max(id) FROM touched)"
    ).fetchone()
    return int(oldest or 0), int(last or 0)


def _changed(block: Block, numbers: np.ndarray[tuple[int], np.dtype[np.int64]], now: People) -> Block:
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
    after = Block(
        read_only(taken(block.vectors, new.vectors, rows)),
        read_only(np.searchsorted(numbers, np.sort(owners, kind="stable"))),
        tuple(map(names.__getitem__, people.tolist())),
        tuple(map(ids.__getitem__, people.tolist())),
        read_only(numbers),
        read_only(taken(block.centres, centres, people)),
        read_only(taken(block.spread, spread, people)),
    )
    if "codes" in block.__dict__:  # worked out before; made anew only for those who changed
        after.__dict__["codes"] = block.codes.taken(people, type(block.codes).of(centres))
    return after


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
