"""A plugin's side written from docs/PROTOCOL.md alone, as an author in another language would: nothing of pp_sdk, a
msgpack of its own, its own reading of descriptors, packages and market tables.

Inside the walls it is the entry of the process (`foreign:main`), beside nothing but the standard library. Outside them
the attacks of this folder are spelled with its functions, so that one implementation does not judge itself.
"""

from __future__ import annotations

import fcntl
import io
import os
import socket
import struct
import zipfile

REQUEST, REPLY, ERROR, EVENT = 0, 1, 2, 3


def pack(value):
    """The one spelling of a value."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return _pack_int(value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode()
        return _head(len(data), (0xA0, 32), (0xD9, 0xDA, 0xDB)) + data
    if isinstance(value, bytes):
        return _head(len(value), (0, 0), (0xC4, 0xC5, 0xC6)) + value
    if isinstance(value, list):
        return _head(len(value), (0x90, 16), (None, 0xDC, 0xDD)) + b"".join(map(pack, value))
    pairs = b"".join(pack(key) + pack(item) for key, item in value.items())
    return _head(len(value), (0x80, 16), (None, 0xDE, 0xDF)) + pairs


def _pack_int(value):
    if -32 <= value < 128:
        return struct.pack(">b", value)
    signs = "BHIQ" if value >= 0 else "bhiq"
    for kind, sign in zip(
        (0xCC, 0xCD, 0xCE, 0xCF) if value >= 0 else (0xD0, 0xD1, 0xD2, 0xD3), signs, strict=True
    ):
        try:
            return bytes([kind]) + struct.pack(">" + sign, value)
        except struct.error:
            continue
    raise ValueError(f"{value} does not fit into 64 bits")


def _head(count, fixed, kinds):
    base, below = fixed
    if count < below:
        return bytes([base | count])
    for kind, size, most in zip(kinds, ("B", "H", "I"), (2**8, 2**16, 2**32), strict=True):
        if kind is not None and count < most:
            return bytes([kind]) + struct.pack(">" + size, count)
    raise ValueError("too long")


class Reader:
    """One value after the other out of bytes."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        piece = self.data[self.at : self.at + count]
        if len(piece) != count:
            raise ValueError("cut short")
        self.at += count
        return piece

    def number(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(form)))[0]

    def value(self):
        kind = self.number("B")
        if kind < 0x80:
            return kind
        if kind < 0x90:
            return self.map(kind & 15)
        if kind < 0xA0:
            return [self.value() for _ in range(kind & 15)]
        if kind < 0xC0:
            return self.take(kind & 31).decode()
        if kind >= 0xE0:
            return kind - 256
        return self.long(kind)

    def long(self, kind):
        if kind in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[kind]
        if kind in (0xC4, 0xC5, 0xC6):
            return self.take(self.number("BHI"[kind - 0xC4]))
        if kind == 0xCB:
            return self.number("d")
        if 0xCC <= kind <= 0xD3:
            return self.number("BHIQbhiq"[kind - 0xCC])
        if kind in (0xD9, 0xDA, 0xDB):
            return self.take(self.number("BHI"[kind - 0xD9])).decode()
        if kind in (0xDC, 0xDD):
            return [self.value() for _ in range(self.number("HI"[kind - 0xDC]))]
        if kind in (0xDE, 0xDF):
            return self.map(self.number("HI"[kind - 0xDE]))
        raise ValueError(f"byte {kind:#x} begins nothing in this protocol")

    def map(self, count):
        return {self.value(): self.value() for _ in range(count)}


def unpack(data):
    reader = Reader(data)
    value = reader.value()
    if reader.at != len(data):
        raise ValueError("trailing bytes")
    return value


def framed(payload):
    return struct.pack("<I", len(payload)) + payload


def message(kind, number, method, body):
    """One frame; `body` is a value, or bytes that are one already spelled."""
    spelled = body if isinstance(body, bytes) else pack(body)
    return framed(b"\x94" + pack(kind) + pack(number) + pack(method) + spelled)


def split(data):
    """The whole frames in `data` as (type, id, method, body), and what is left of it."""
    frames = []
    while len(data) >= 4 and len(data) >= 4 + (length := struct.unpack("<I", data[:4])[0]):
        frames.append(tuple(unpack(data[4 : 4 + length])))
        data = data[4 + length :]
    return frames, data


def sealed_bytes(fd, length):
    """What is behind a descriptor that can never change again."""
    all_seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
    if fcntl.fcntl(fd, fcntl.F_GET_SEALS) & all_seals != all_seals:
        raise ValueError("not sealed")
    if os.fstat(fd).st_size != length:
        raise ValueError("another length than announced")
    return os.pread(fd, length, 0)


NON_NULL = ("status", "tick", "min_size")
NULLABLE = (
    "yes_bid", "yes_ask", "no_bid", "no_ask", "yes_bid_size", "yes_ask_size", "no_bid_size", "no_ask_size",
    "quoted_at", "opened_at", "ends_at", "fee_rate", "fee_exponent", "volume", "liquidity", "yes_payout",
)  # fmt: skip
TEXTS = ("id", "event", "question", "category", "yes_name", "no_name", "venue")
SIDES = ("yes_bid", "yes_ask", "no_bid", "no_ask")


def table_rows(block):
    """The markets of a table, each as a dict; books as lists of (price, size)."""
    magic, version, total, n, m, s, t = struct.unpack_from("<4sIQQQQQ", block)
    if (magic, version, total) != (b"PPMT", 1, len(block)):
        raise ValueError("no table of this version")
    at = 48

    def cells(count):
        nonlocal at
        at += 8 * count
        return struct.unpack_from(f"<{count}q", block, at - 8 * count)

    columns = {name: cells(n) for name in NON_NULL + NULLABLE}
    width = 8 * -(-n // 64)
    bitmaps = {name: block[at + k * width : at + (k + 1) * width] for k, name in enumerate(NULLABLE)}
    at += 16 * width
    offsets, prices, sizes = cells(4 * n + 1), cells(m), cells(m)
    refs, bounds = cells(7 * n), cells(s + 1)
    words = [block[at + bounds[k] : at + bounds[k + 1]].decode() for k in range(s)]
    assert at + t == len(block)
    rows = []
    for i in range(n):
        row = {name: columns[name][i] for name in NON_NULL}
        row |= {x: columns[x][i] if bitmaps[x][i // 8] >> i % 8 & 1 else None for x in NULLABLE}
        row |= {name: words[refs[k * n + i]] for k, name in enumerate(TEXTS)}
        for k, side in enumerate(SIDES):
            part = slice(offsets[k * n + i], offsets[k * n + i + 1])
            row[f"{side}s"] = list(zip(prices[part], sizes[part], strict=True))
        rows.append(row)
    return rows


class Wire:
    """The socket to the host."""

    def __init__(self, sock):
        self.sock = sock
        self.rest = b""
        self.inbox = []
        self.fds = []
        self.last = 0

    def receive(self):
        """The next frame, None at the end."""
        while not self.inbox:
            room = socket.CMSG_SPACE(4 * 4)
            data, control, _, _ = self.sock.recvmsg(65536, room, socket.MSG_CMSG_CLOEXEC)
            for _, _, rights in control:
                self.fds += struct.unpack(f"{len(rights) // 4}i", rights)
            if not data:
                return None
            self.inbox, self.rest = split(self.rest + data)
        return self.inbox.pop(0)

    def send(self, kind, number, method, body):
        self.sock.sendall(message(kind, number, method, body))

    def ask(self, method, body):
        """The host's answer as (type, body)."""
        self.last += 2
        self.send(REQUEST, self.last, method, body)
        later = []
        while (frame := self.receive()) is not None:
            kind, number, _, answer = frame
            if kind in (REPLY, ERROR) and number == self.last:
                self.inbox = later + self.inbox
                return kind, answer
            later.append(frame)
        raise ConnectionError("the host has gone")

    def tell(self, line):
        self.send(EVENT, 0, "log.write", {"level": "info", "message": line})


class Plugin:
    """Buys a little of the first market that is open; says what it saw."""

    def __init__(self, wire):
        self.wire = wire
        self.turn = 0
        self.config = {}

    def load(self, body, fd):
        archive = zipfile.ZipFile(io.BytesIO(sealed_bytes(fd, body["archive_bytes"])))
        self.wire.tell(f"{body['module']}.{body['object']} from {sorted(archive.namelist())}")
        return {"hooks": [hook for hook in body["hooks"] if hook in ("configure", "decide")]}

    def configure(self, body, fd):
        self.config = body["config"]
        self.wire.tell(f"seed {body['seed']}, brief {body['brief']}, config {body['config']}")
        return {}

    def decide(self, body, fd):
        rows = table_rows(sealed_bytes(fd, body["table_bytes"]))
        self.turn += 1
        self.wire.ask("kv.put", {"name": f"turn/{self.turn}", "value": struct.pack("<I", len(rows))})
        self.wire.ask(
            "file.append", {"file": "turns.txt", "lines": [f"turn {self.turn}: {len(rows)} markets"]}
        )
        return {"decisions": [self.wish(row) for row in rows if row["status"] == 0 and row["yes_ask"]][:1]}

    def wish(self, row):
        _, kept = self.wire.ask("kv.get", {"name": f"turn/{self.turn}"})
        _, page = self.wire.ask("kv.keys", {"prefix": "turn/", "after": ""})
        _, now = self.wire.ask("clock.now", {})
        refused, _ = self.wire.ask("kv.delete", {"name": "turn/0"})
        text = f"{struct.unpack('<I', kept['value'])[0]} markets, keys {page['names']}, more {page['more']}"
        return {
            "market": row["id"], "outcome": "yes", "side": "buy", "probability": 0.97, "confidence": 1.0,
            "limit_price": row["yes_ask"], "max_spend": None,
            "rationale": f"{text}, now {now['now']}, deleted {refused == REPLY}",
        }  # fmt: skip

    def stop(self, body, fd):
        return {}


def main(rpc_fd, selfcheck):
    with socket.socket(fileno=rpc_fd) as sock:
        wire = Wire(sock)
        plugin = Plugin(wire)
        hello = {"protocol": 1, "sdk": "foreign", "python": "none", "selfcheck": selfcheck, "ext": {}}
        wire.send(EVENT, 0, "hello", hello)
        while (frame := wire.receive()) is not None:
            kind, number, method, body = frame
            if kind == EVENT:
                continue  # a cancel: this plugin answers everything at once anyway
            fd = wire.fds.pop(0) if method in ("load", "select", "decide") else None
            wire.send(REPLY, number, method, getattr(plugin, method)(body, fd))
            if fd is not None:
                os.close(fd)
            if method == "stop":
                return
