"""Which row belongs to which column: the assignment with the lowest sum of costs, exactly.

Shortest augmenting paths with potentials (Kuhn, 1955; Munkres, 1957; in the form of Jonker and Volgenant, "A shortest
augmenting path algorithm for dense and sparse linear assignment problems", Computing 38, 1987). Rows may stay alone,
which costs `limit`: two that cost more than that together are not paired. Costs of infinity are forbidden pairs; what
they do not connect is solved apart, so that many faces spread over a picture cost little.
"""

import numpy as np
import numpy.typing as npt

from multiface.arrays import Doubles, Indices


def assign(costs: Doubles, limit: float) -> Indices:
    """For each row its column, -1 for none; (rows,). No column is given twice.

    costs: (rows, columns), infinite where a pair is forbidden, no NaN. The sum over the rows of the cost of the pair,
    or `limit` for a row without one, is the lowest possible.
    """
    owner = np.full(len(costs), -1, np.intp)
    allowed = costs < limit
    for rows, columns in _components(allowed):
        part = np.where(allowed, costs, np.inf)[np.ix_(rows, columns)]
        alone = np.full((len(rows), len(rows)), np.inf)
        np.fill_diagonal(alone, limit)
        found = _solve(np.concatenate([part, alone], axis=1))
        paired = found < len(columns)
        owner[rows[paired]] = columns[found[paired]]
    return owner


def _components(allowed: npt.NDArray[np.bool_]) -> list[tuple[Indices, Indices]]:
    """Rows and columns that allowed pairs connect, each group by itself."""
    left = np.asarray(allowed.any(axis=1), np.bool_)
    groups = []
    while left.any():
        columns = allowed[np.argmax(left)]
        while True:
            rows = allowed[:, columns].any(axis=1)
            grown = allowed[rows].any(axis=0)
            if (grown == columns).all():
                break
            columns = grown
        groups.append((np.flatnonzero(rows), np.flatnonzero(columns)))
        left[rows] = False
    return groups


def _solve(costs: Doubles) -> Indices:
    """The column of each row where every row gets one: (rows,), with rows <= columns and a finite sum possible."""
    count, width = costs.shape
    row_price, column_price = np.zeros(count), np.zeros(width)
    row_of = np.full(width, -1, np.intp)
    for start in range(count):
        # The cheapest path from the new row to a free column, along pairs that may be given up on the way.
        reach = np.full(width, np.inf)
        came_from = np.full(width, -1, np.intp)
        done = np.zeros(width, np.bool_)
        row, column, length = start, -1, 0.0
        while True:
            through = length + costs[row] - row_price[row] - column_price
            shorter = ~done & (through < reach)
            reach[shorter] = through[shorter]
            came_from[shorter] = column
            column = int(np.argmin(np.where(done, np.inf, reach)))
            length = float(reach[column])
            if row_of[column] < 0:
                break
            done[column] = True
            row = int(row_of[column])
        row_price[start] += length
        row_price[row_of[done]] += length - reach[done]
        column_price[done] -= length - reach[done]
        while column >= 0:
            before = int(came_from[column])
            row_of[column] = row_of[before] if before >= 0 else start
            column = before
    owner = np.full(count, -1, np.intp)
    taken = np.flatnonzero(row_of >= 0)
    owner[row_of[taken]] = taken
    return owner
