"""Turns valid bytes into almost valid ones, by a seed: the same seed gives the same bytes on every machine."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

INTERESTING = (0, 1, 2, 7, 19, 20, 21, 63, 64, 127, 128, 255, 256, 999_999, 1_000_000, 2**20, 2**31, 2**32 - 1,
               2**53 - 1, 2**53, 2**62, 2**62 + 1, 2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip
HEADS = bytes(
    (0x80, 0x8F, 0x90, 0x94, 0x9F, 0xA0, 0xBF, *range(0xC0, 0x100), 0x7F, 0xE0)
)  # of msgpack's kinds
WORDS = (b"\n", b"  ", b": ", b"- ", b"&a ", b"*a", b"!t ", b"{", b"}", b"[", b"]", b'"', b"'", b"\\ud800", b"\\x00",
         b"null", b"~", b"1e999", b".nan", b"<<", b"---\n", b"%YAML 1.1\n", b"\xef\xbb\xbf", b"\xed\xa0\x80",
         b"\xff", b"\x00", b"\x1b[2J", b"PK\x03\x04", b"PK\x05\x06", b"../", b"=", b"\xe2\x80\xae")  # fmt: skip

Change = Callable[[bytearray, int], None]


class Mutator:
    """`mutated(data)` makes one to eight changes."""

    def __init__(self, seed: int, corpus: Sequence[bytes]) -> None:
        self.random = random.Random(seed)
        self._corpus = corpus
        self._changes: tuple[Change, ...] = (
            self._flip, self._replace, self._insert, self._remove, self._repeat, self._splice, self._number,
            self._word, self._cut,
        )  # fmt: skip

    def next(self) -> bytes:
        """One of the corpus, changed."""
        return self.mutated(self.random.choice(self._corpus))

    def mutated(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 8))):
            self.random.choice(self._changes)(changed, self.random.randrange(len(changed) + 1))
        return bytes(changed)

    def _flip(self, data: bytearray, at: int) -> None:
        if at < len(data):
            data[at] ^= 1 << self.random.randrange(8)

    def _replace(self, data: bytearray, at: int) -> None:
        data[at : at + 1] = bytes([self.random.choice(HEADS)])

    def _insert(self, data: bytearray, at: int) -> None:
        data[at:at] = self.random.randbytes(self.random.choice((1, 2, 4, 8)))

    def _remove(self, data: bytearray, at: int) -> None:
        del data[at : at + self.random.choice((1, 2, 4, 8, 64))]

    def _repeat(self, data: bytearray, at: int) -> None:
        piece = data[at : at + self.random.choice((1, 8, 64))]
        data[at:at] = piece * self.random.choice((1, 2, 100))

    def _splice(self, data: bytearray, at: int) -> None:
        other = self.random.choice(self._corpus)
        start = self.random.randrange(len(other) + 1)
        data[at:] = other[start:]

    def _number(self, data: bytearray, at: int) -> None:
        """An interesting number over what is there, as often as not where a column's cell would be."""
        size = self.random.choice((1, 2, 4, 8, 8))
        at -= at % self.random.choice((1, size))
        number = self.random.choice(INTERESTING) % 2 ** (8 * size)
        order = self.random.choice("<>")
        data[at : at + size] = struct.pack(order + {1: "B", 2: "H", 4: "I", 8: "Q"}[size], number)

    def _word(self, data: bytearray, at: int) -> None:
        data[at:at] = self.random.choice(WORDS)

    def _cut(self, data: bytearray, at: int) -> None:
        if self.random.random() < 0.3:
            del data[at:]
