"""Static ELF programs of a few instructions, so that foreign code is at hand where no compiler is.

Each makes one system call and ends with 0 when it succeeded, else with its errno: the shortest honest attack.
"""

import os
import struct

MACHINE = os.uname().machine
BASE = 0x400000
HEADERS = 64 + 56


def x86_64(number, arguments):
    """mov each argument; syscall; negate rax into the status, 0 when it is not negative; exit_group."""
    registers = (b"\x48\xbf", b"\x48\xbe", b"\x48\xba", b"\x49\xba", b"\x49\xb8", b"\x49\xb9")

    def code(at):
        moves = b"".join(
            register + struct.pack("<Q", (at if isinstance(argument, bytes) else argument) & (2**64 - 1))
            for register, argument in zip(registers, arguments, strict=False)
        )
        call = b"\xb8" + struct.pack("<I", number) + b"\x0f\x05"
        leave = b"\x31\xff\x48\x85\xc0\x79\x04\x89\xc7\xf7\xdf\xb8" + struct.pack("<I", 231) + b"\x0f\x05"
        return moves + call + leave

    return code(BASE + HEADERS + len(code(0)))


def aarch64(number, arguments):
    """movz/movk each argument; svc; csneg; exit_group."""

    def load(register, value):
        words = [0xD2800000 | (value & 0xFFFF) << 5 | register]
        words += [
            0xF2800000 | half << 21 | (value >> 16 * half & 0xFFFF) << 5 | register for half in (1, 2, 3)
        ]
        return words

    def code(at):
        words = []
        for register, argument in enumerate(arguments):
            words += load(register, (at if isinstance(argument, bytes) else argument) & (2**64 - 1))
        words += [*load(8, number), 0xD4000001, 0xF100001F, 0xDA80A7E0, *load(8, 94), 0xD4000001]
        return struct.pack(f"<{len(words)}I", *words)

    return code(BASE + HEADERS + len(code(0)))


ASSEMBLERS = {"x86_64": (62, x86_64), "aarch64": (183, aarch64)}


def program(number, *arguments, interpreter=b""):
    """The file's bytes; an argument may be a text, of which the program holds its address."""
    machine, assemble = ASSEMBLERS[MACHINE]
    text = b"".join(argument for argument in arguments if isinstance(argument, bytes))
    return wrapped(machine, assemble(number, arguments) + text + b"\0", interpreter)


def wrapped(machine, body, interpreter=b""):
    """One segment, readable and executable; with an interpreter a second that names it."""
    count = 2 if interpreter else 1
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    size = HEADERS + len(body)
    header = ident + struct.pack(
        "<HHIQQQIHHHHHH", 2, machine, 1, BASE + HEADERS, 64, 0, 0, 64, 56, count, 64, 0, 0
    )
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 0x1000)
    if not interpreter:
        return header + load + body
    named = interpreter + b"\0"
    asked = struct.pack("<IIQQQQQQ", 3, 4, HEADERS + 56, 0, 0, len(named), len(named), 1)
    return header + load + asked + named
