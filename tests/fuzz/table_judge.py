"""A second judge of market tables, from docs/PROTOCOL.md alone: cell by cell, slow, and with nothing of the first.

Two judges that agree on millions of blocks are either both right or wrong about the same sentence of the page.
"""

from __future__ import annotations

import itertools
import struct

BIG, PRICE = 2**62, (1, 999_999)
COLUMNS = {
    "status": (0, 2), "tick": (1, 500_000), "min_size": (0, BIG),
    "yes_bid": PRICE, "yes_ask": PRICE, "no_bid": PRICE, "no_ask": PRICE,
    "yes_bid_size": (0, BIG), "yes_ask_size": (0, BIG), "no_bid_size": (0, BIG), "no_ask_size": (0, BIG),
    "quoted_at": (0, BIG), "opened_at": (0, BIG), "ends_at": (0, BIG), "fee_rate": (0, 10**6), "fee_exponent": (0, 4),
    "volume": (0, BIG), "liquidity": (0, BIG), "yes_payout": (0, 10**6),
}  # fmt: skip
NULLABLE = list(COLUMNS)[3:]
SIDES = ("yes_bid", "yes_ask", "no_bid", "no_ask")
TEXTS = {
    "id": 255,
    "event": 255,
    "question": 2000,
    "category": 255,
    "yes_name": 255,
    "no_name": 255,
    "venue": 255,
}


def accepts(block: bytes) -> bool:
    """Whether `block` is a market table."""
    if len(block) < 48:
        return False
    magic, version, total, n, m, s, t = struct.unpack_from("<4sIQQQQQ", block)
    width = 8 * -(-n // 64)
    sections = (152 * n, 16 * width, 8 * (4 * n + 1), 8 * m, 8 * m, 56 * n, 8 * (s + 1), t)
    if (magic, version, total) != (b"PPMT", 1, len(block)) or 48 + sum(sections) != len(block):
        return False
    parts, at = [], 48
    for length in sections:
        parts.append(block[at : at + length])
        at += length
    ints, bitmaps, *levels, refs, bounds, text = parts
    numbers = {name: words(ints)[k * n : (k + 1) * n] for k, name in enumerate(COLUMNS)}
    known = {name: bits(bitmaps[k * width : (k + 1) * width]) for k, name in enumerate(NULLABLE)}
    if any(any(known[name][n:]) for name in NULLABLE):
        return False
    cells = {
        name: [cell if name not in known or known[name][i] else None for i, cell in enumerate(numbers[name])]
        for name in COLUMNS
    }
    return (
        ranged(numbers, cells)
        and booked(cells, n, *map(words, levels))
        and all(cells["status"][i] == 2 for i in range(n) if cells["yes_payout"][i] is not None)
        and texted(words(refs), words(bounds), text, n, s)
    )


def words(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 8}q", data))


def bits(data: bytes) -> list[int]:
    return [byte >> bit & 1 for byte in data for bit in range(8)]


def ranged(numbers: dict[str, list[int]], cells: dict[str, list[int | None]]) -> bool:
    for name, (low, high) in COLUMNS.items():
        for number, cell in zip(numbers[name], cells[name], strict=True):
            if not (number == 0 if cell is None else low <= number <= high):
                return False
    return True


def booked(
    cells: dict[str, list[int | None]], n: int, offsets: list[int], prices: list[int], sizes: list[int]
) -> bool:
    if offsets[0] != 0 or offsets[-1] != len(prices) or any(a > b for a, b in itertools.pairwise(offsets)):
        return False
    if not all(1 <= price <= 999_999 and 0 <= size <= BIG for price, size in zip(prices, sizes, strict=True)):
        return False
    for k, side in enumerate(SIDES):
        for i in range(n):
            own = slice(offsets[k * n + i], offsets[k * n + i + 1])
            book = list(zip(prices[own], sizes[own], strict=True))
            best, size = cells[side][i], cells[f"{side}_size"][i]
            if len(book) > 20 or (best is None) != (size is None) or (best is None) != (not book):
                return False
            if book and book[0] != (best, size):
                return False
            steps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(book)]
            if any(step >= 0 if side.endswith("bid") else step <= 0 for step in steps):
                return False
    for outcome in ("yes", "no"):
        for bid, ask in zip(cells[f"{outcome}_bid"], cells[f"{outcome}_ask"], strict=True):
            if bid is not None and ask is not None and bid >= ask:
                return False
    return True


def texted(refs: list[int], bounds: list[int], text: bytes, n: int, s: int) -> bool:
    if bounds[0] != 0 or bounds[-1] != len(text) or any(a > b for a, b in itertools.pairwise(bounds)):
        return False
    strings = [text[bounds[j] : bounds[j + 1]] for j in range(s)]
    if len(set(strings)) != s or list(dict.fromkeys(refs)) != list(range(s)):
        return False
    try:
        for string in strings:
            string.decode()
    except UnicodeDecodeError:
        return False
    columns = [refs[k * n : (k + 1) * n] for k in range(7)]
    for (name, most), column in zip(TEXTS.items(), columns, strict=True):
        if any(len(strings[ref]) > most or (name == "id" and not strings[ref]) for ref in column):
            return False
    return len(set(columns[0])) == n
