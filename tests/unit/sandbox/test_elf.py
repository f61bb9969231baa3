"""What a program needs is read out of its file, whatever the file is."""

import os
import struct
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.errors import OperatorError
from pp_host.limits import LIMITS
from pp_host.sandbox import elf

from tests.escape.programs import tinyelf

PYTHON = Path(os.path.realpath(sys.executable))
INTERPRETER = b"/lib64/ld-linux-x86-64.so.2"
pytestmark = pytest.mark.skipif(
    tinyelf.MACHINE not in tinyelf.ASSEMBLERS, reason="no ELF of this machine at hand"
)


@pytest.fixture
def read(tmp_path):
    """read(data): what elf.read says of a file that holds it."""

    def run(data):
        file = tmp_path / "program"
        file.write_bytes(data)
        return elf.read(file)

    return run


def test_a_static_program_needs_nothing(read):
    assert read(tinyelf.program(1)) == elf.Elf("", (), ())


def test_a_program_names_its_loader(read):
    assert read(tinyelf.program(1, interpreter=INTERPRETER)).interpreter == INTERPRETER.decode()


def test_this_python():
    found = elf.read(PYTHON)
    assert found.interpreter.startswith("/")
    assert any(name.startswith("libc.") for name in found.needed)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: b"", "does not begin like one of 64 bits"),
        (lambda data: b"#!/bin/sh\n", "does not begin like one of 64 bits"),
        (lambda data: data[:4] + b"\x01" + data[5:], "does not begin like one of 64 bits"),
        (lambda data: data[:18] + b"\x03\x00" + data[20:], "machine 3, type 2"),
        (lambda data: data[:16] + b"\x01\x00" + data[18:], "type 1"),
        (lambda data: data[:40], "no ELF file for this machine"),
        (lambda data: data[:32] + struct.pack("<Q", 2**63) + data[40:], "no ELF file for this machine"),
        (lambda data: data[:56] + b"\xff\xff" + data[58:], "65535 segments of 56 bytes"),
        (lambda data: data[:-1], "no ELF file for this machine"),
        (
            lambda data: data[:-1] + b"x" * (LIMITS.sandbox.program_path_bytes + 1) + b"\0",
            "no ELF file for this machine",
        ),
    ],
)
def test_a_file_that_does_not_hold_together(read, change, words):
    honest = tinyelf.program(1, interpreter=INTERPRETER)
    assert read(honest)
    with pytest.raises(OperatorError, match=words):
        read(change(honest))


HEAD = PYTHON.read_bytes()[: 1 << 20]


@given(st.lists(st.tuples(st.integers(0, 1023), st.integers(0, 255)), min_size=1, max_size=8))
def test_any_change_of_the_headers_is_read_or_refused(tmp_path_factory, changes):
    data = bytearray(HEAD)
    for at, value in changes:
        data[at] = value
    file = tmp_path_factory.getbasetemp() / "changed"
    file.write_bytes(data)
    with suppress(OperatorError):
        assert isinstance(elf.read(file), elf.Elf)


@given(st.binary(max_size=400))
def test_any_bytes_after_the_magic(tmp_path_factory, tail):
    file = tmp_path_factory.getbasetemp() / "noise"
    file.write_bytes(tinyelf.program(1)[:20] + tail)
    with suppress(OperatorError):
        assert isinstance(elf.read(file), elf.Elf)
