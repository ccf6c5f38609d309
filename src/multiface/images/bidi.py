"""In which order, left to right, the stretches of a line with scripts of both directions are drawn.

The Unicode Bidirectional Algorithm (UAX #9), rules P2-P3, W1-W7, N0-N2, I1-I2 and L2. Explicit embeddings and
isolates are not handled: `typeset` removes their characters. Pillow orders only text of a single font;
this orders stretches of several fonts.
"""

import unicodedata
from collections.abc import Sequence

_STRONG = {"L", "R", "AL"}
_DIRECTED = {"L", "R", "EN", "AN"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def levels(text: str) -> list[int]:
    """The embedding level of each character; odd is right to left."""
    kinds = [unicodedata.bidirectional(character) or "L" for character in text]
    base = _base_level(kinds)
    outside = "R" if base else "L"
    kinds = _brackets_resolved(text, _weak_resolved(kinds, outside), outside)
    kinds = _neutral_resolved(kinds, outside)
    return [_implicit(kind, base) for kind in kinds]


def visual_order(run_levels: Sequence[int]) -> list[int]:
    """Positions of the runs from left to right (rule L2: from the highest level down to the lowest odd one
    every sequence of runs at that level or above is reversed)."""
    order = list(range(len(run_levels)))
    lowest_odd = min((level for level in run_levels if level % 2), default=0)
    for level in range(max(run_levels, default=0), lowest_odd - 1, -1):
        if level == 0:
            break
        at = 0
        while at < len(order):
            end = at
            while end < len(order) and run_levels[order[end]] >= level:
                end += 1
            order[at:end] = order[at:end][::-1]
            at = max(end, at + 1)
    return order


def _base_level(kinds: Sequence[str]) -> int:
    first = next((kind for kind in kinds if kind in _STRONG), "L")
    return 0 if first == "L" else 1


def _implicit(kind: str, base: int) -> int:
    if base % 2:
        return base if kind == "R" else base + 1
    return {"L": base, "R": base + 1}.get(kind, base + 2)


def _weak_resolved(kinds: Sequence[str], outside: str) -> list[str]:
    result = list(kinds)
    before = outside
    for at, kind in enumerate(result):  # W1: a mark takes the kind of what it stands on
        if kind in {"NSM", "BN"}:
            result[at] = before
        before = result[at]
    strong = outside
    for at, kind in enumerate(result):  # W2, W3: digits after Arabic letters
        if kind in _STRONG:
            strong = kind
        if kind == "EN" and strong == "AL":
            result[at] = "AN"
    result = ["R" if kind == "AL" else kind for kind in result]
    for at in range(1, len(result) - 1):  # W4: one separator between two numbers
        left, right = result[at - 1], result[at + 1]
        if left == right and (
            (result[at] in {"ES", "CS"} and left == "EN") or (result[at] == "CS" and left == "AN")
        ):
            result[at] = left
    at = 0
    while at < len(result):  # W5: signs beside a number, such as %
        end = at
        while end < len(result) and result[end] == "ET":
            end += 1
        beside = "EN" in result[max(at - 1, 0) : at] + result[end : end + 1]
        if end > at and beside:
            result[at:end] = ["EN"] * (end - at)
        at = max(end, at + 1)
    result = ["ON" if kind in {"ES", "ET", "CS"} else kind for kind in result]  # W6
    strong = outside
    for at, kind in enumerate(result):  # W7: numbers among Latin letters
        if kind in {"L", "R"}:
            strong = kind
        if kind == "EN" and strong == "L":
            result[at] = "L"
    return result


def _brackets_resolved(text: str, kinds: Sequence[str], outside: str) -> list[str]:
    """Rule N0: both brackets of a pair get one direction, that of what they hold or of what is around."""
    result = list(kinds)
    for opening, closing in _bracket_pairs(text, kinds):
        inside = {_side(kind) for kind in result[opening + 1 : closing] if kind in _DIRECTED}
        if not inside:
            continue
        before = next((_side(kind) for kind in reversed(result[:opening]) if kind in _DIRECTED), outside)
        direction = before if outside not in inside else outside
        result[opening] = result[closing] = direction
    return result


def _bracket_pairs(text: str, kinds: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of positions in the order of the opening ones (definition BD16)."""
    pairs: list[tuple[int, int]] = []
    waiting: list[tuple[str, int]] = []
    for at, (character, kind) in enumerate(zip(text, kinds, strict=True)):
        if kind != "ON":
            continue
        if character in _CLOSING:
            waiting.append((_CLOSING[character], at))
        for depth in range(len(waiting) - 1, -1, -1):
            if waiting[depth][0] == character:
                pairs.append((waiting[depth][1], at))
                del waiting[depth:]
                break
    return sorted(pairs)


def _neutral_resolved(kinds: Sequence[str], outside: str) -> list[str]:
    result = list(kinds)
    at = 0
    while at < len(result):
        end = at
        while end < len(result) and result[end] not in _DIRECTED:
            end += 1
        left = outside if at == 0 else _side(result[at - 1])
        right = outside if end == len(result) else _side(result[end])
        result[at:end] = [left if left == right else outside] * (end - at)  # N1, N2
        at = max(end, at + 1)
    return result


def _side(kind: str) -> str:
    return "L" if kind == "L" else "R"
