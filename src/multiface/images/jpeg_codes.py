"""The Huffman codes of a damaged JPEG, read one by one to tell which of its rows no fault touches.

A fault is a code that is none, a block of more than 64 coefficients, a brightness that no block can have, a gap of
zero bytes, and the end of the data before that of the picture. A wrong value that breaks none of these rules
cannot be seen. After a fault all is lost up to the next restart marker. A unit is the smallest part of a picture that
holds whole blocks of all its components (T.81: MCU).
Source: ITU T.81, F.2.2 (decoding), C (codes), A.2 (order of the blocks).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.images.jpeg_segments import (
    FRAMES,
    QUANTIZATION,
    RESTART_INTERVAL,
    START_OF_SCAN,
    TABLES,
    segments,
)

_RESTART = re.compile(rb"\xff+([\xd0-\xd7])")
_GAP = bytes(32)
_BRIGHTEST = 1024 + 76
"""The first coefficient of a white block, with room for what writers round."""
_BLOCK_ENDS = 1024
"""Added to the number of coefficients by the code that ends a block."""

Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Block:
    """One block of a unit. component: whose. step: by which its first coefficient is multiplied.

    first, other: for each 16 bits, the bits of the code that they begin with, its value's included, in the lower six;
    above, the bits of the value (first) or the coefficients that it goes on by (other). 0 for no code.
    """

    component: int
    step: int
    first: list[int]
    other: list[int]


@dataclass(frozen=True, slots=True)
class _Frame:
    """How a picture is made up. across, down: units. restart: units between two restart markers; all where none."""

    height: int
    unit_height: int
    across: int
    down: int
    restart: int
    blocks: tuple[_Block, ...]
    codes: bytes


def whole_rows(data: bytes) -> Rows:
    """For each row of pixels of a JPEG with one scan of Huffman codes, whether no fault touches it."""
    frame = _frame(data)
    sound = np.zeros(frame.across * frame.down, np.bool_)
    for number, codes in _intervals(frame.codes):
        start = number * frame.restart
        wanted = min(frame.restart, len(sound) - start)
        sound[start : start + _sound_units(codes, frame.blocks, wanted)] = True
    rows = np.all(sound.reshape(frame.down, frame.across), axis=1)
    return np.repeat(rows, frame.unit_height)[: frame.height]


def misses_restart(data: bytes) -> bool:
    """Whether restart markers are missing or out of order in a JPEG with one scan."""
    if not any(one.marker == RESTART_INTERVAL for one in segments(data)):
        return False
    frame = _frame(data)
    last = (frame.across * frame.down - 1) // frame.restart
    numbers = [number for number, _ in _intervals(frame.codes)]
    return numbers != list(range(last + 1))


def _frame(data: bytes) -> _Frame:
    steps: dict[int, int] = {}
    counts: dict[int, tuple[bytes, bytes]] = {}
    height = width = restart = 0
    components: dict[int, tuple[int, int, int]] = {}
    for one in segments(data):
        content = one.content
        if one.marker == QUANTIZATION:
            while content:
                deep = content[0] >> 4
                steps[content[0] & 15] = int.from_bytes(content[1 : 2 + deep], "big")
                content = content[1 + 64 * (1 + deep) :]
        elif one.marker == TABLES:
            while content:
                end = 17 + sum(content[1:17])
                counts[content[0]] = content[1:17], content[17:end]
                content = content[end:]
        elif one.marker == RESTART_INTERVAL:
            restart = int.from_bytes(content[:2], "big")
        elif one.marker in FRAMES:
            height, width = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
            for k in range(6, 6 + 3 * content[5], 3):
                components[content[k]] = content[k + 1] >> 4, content[k + 1] & 15, content[k + 2]
        elif one.marker == START_OF_SCAN:
            break
    if len(components) == 1:  # the blocks of a single component follow each other row by row
        components = {name: (1, 1, table) for name, (_, _, table) in components.items()}
    unit_width = 8 * max(across for across, _, _ in components.values())
    unit_height = 8 * max(down for _, down, _ in components.values())
    blocks: list[_Block] = []
    for k in range(one.content[0]):
        name, tables = one.content[1 + 2 * k], one.content[2 + 2 * k]
        wide, high, quantization = components[name]
        block = _Block(
            k, steps[quantization], _first(*counts[tables >> 4]), _other(*counts[0x10 | tables & 15])
        )
        blocks += [block] * (wide * high)
    across, down = -(-width // unit_width), -(-height // unit_height)
    codes = data[one.codes.start : one.codes.stop]
    return _Frame(height, unit_height, across, down, restart or across * down, tuple(blocks), codes)


def _intervals(codes: bytes) -> Iterator[tuple[int, bytes]]:
    """The parts between restart markers, each with its number; where markers are missing, numbers are left out."""
    number, start = 0, 0
    for marker in _RESTART.finditer(codes):
        yield number, codes[start : marker.start()]
        number += 1 + (marker[1][0] - 0xD0 - number) % 8
        start = marker.end()
    yield number, codes[start:]


def _sound_units(codes: bytes, blocks: tuple[_Block, ...], wanted: int) -> int:
    """How many units can be read before the first fault, at most `wanted`."""
    content = codes.replace(b"\xff\x00", b"\xff")
    gap = content.find(_GAP)
    end = 8 * (len(content) if gap < 0 else gap)
    padded = np.frombuffer(content + b"\xff" * 12, np.uint8).astype(np.uint32)
    words = (
        padded[:-3] << 24 | padded[1:-2] << 16 | padded[2:-1] << 8 | padded[3:]
    ).data  # word k: 32 bits from byte k on
    means = [0] * len(blocks)
    at = 0
    for unit in range(wanted):
        for block in blocks:
            code = block.first[words[at >> 3] >> 16 - (at & 7) & 0xFFFF]
            if not code or at > end:
                return unit
            size = code >> 6
            at += code & 63
            if size:
                value = words[at - size >> 3] >> 32 - size - (at - size & 7) & (1 << size) - 1
                means[block.component] += value if value >> size - 1 else value + 1 - (1 << size)
                if abs(means[block.component]) * block.step > _BRIGHTEST + block.step:
                    return unit
            other, k = block.other, 1
            while k < 64:
                code = other[words[at >> 3] >> 16 - (at & 7) & 0xFFFF]
                if not code or at > end:
                    return unit
                at += code & 63
                k += code >> 6
            if 64 < k < _BLOCK_ENDS:
                return unit
        if at > end:
            return unit
    return wanted


def _first(counts: bytes, symbols: bytes) -> list[int]:
    """Codes of the first coefficient: the symbol is the number of bits of its value."""
    return _by_bits(counts, [min(size, 15) << 6 | min(size, 15) for size in symbols])


def _other(counts: bytes, symbols: bytes) -> list[int]:
    """Codes of the others: so many zeros (upper half of the symbol), then a value of so many bits (lower half)."""
    entries = []
    for symbol in symbols:
        zeros, size = symbol >> 4, symbol & 15
        on = zeros + 1 if size or zeros == 15 else _BLOCK_ENDS
        entries.append(on << 6 | size)
    return _by_bits(counts, entries)


def _by_bits(counts: bytes, entries: list[int]) -> list[int]:
    """For each 16 bits, the entry of the code that they begin with, the code's length added; 0 for none."""
    table = np.zeros(1 << 16, np.int64)
    code, left = 0, iter(entries)
    for length, count in enumerate(counts, 1):
        for _ in range(count):
            table[code << 16 - length : code + 1 << 16 - length] = next(left, 0) + length
            code += 1
        code <<= 1
    return [int(one) for one in table]
