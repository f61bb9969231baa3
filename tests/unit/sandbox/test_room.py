"""Which files a foreign program finds inside; what it names is looked for only where libraries are."""

import os
import struct
import sys
from pathlib import Path

import pytest
from pp_host.errors import OperatorError
from pp_host.sandbox import room
from pp_host.sandbox.plan import RoomFile

from tests.escape.programs import tinyelf

PYTHON = Path(os.path.realpath(sys.executable))
pytestmark = pytest.mark.skipif(
    tinyelf.MACHINE not in tinyelf.ASSEMBLERS, reason="no ELF of this machine at hand"
)


@pytest.fixture
def program(tmp_path):
    def make(data, name="program"):
        file = tmp_path / name
        file.write_bytes(data)
        return file

    return make


def needing(name, *, runpath=b"", loader=None):
    """A dynamic program: its loader, one library that it needs, and where it says it is."""
    loader = loader or room.elf.read(PYTHON).interpreter.encode()
    texts = b"\0" + name + b"\0" + runpath + b"\0"
    tags = [(1, 1), (5, 0), *([(29, 2 + len(name))] if runpath else []), (0, 0)]
    table = b"".join(struct.pack("<qQ", *tag) for tag in tags)
    start = 64 + 3 * 56
    named = loader + b"\0"
    at = start + len(named)
    tags_at, size = at + len(texts), at + len(texts) + len(table)
    table = table.replace(struct.pack("<qQ", 5, 0), struct.pack("<qQ", 5, 0x400000 + at))
    machine = tinyelf.ASSEMBLERS[tinyelf.MACHINE][0]
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, 3, 64, 0, 0
    )
    segments = b"".join(
        struct.pack("<IIQQQQQQ", kind, 5, offset, 0x400000 + offset, 0, length, length, 8)
        for kind, offset, length in ((3, start, len(named)), (2, tags_at, len(table)), (1, 0, size))
    )
    return header + segments + named + texts + table


def test_a_static_program_stands_alone(program):
    file = program(tinyelf.program(1))
    assert room.furnish(file) == (RoomFile(file, "/program"),)


def test_a_dynamic_program_has_its_loader_and_libraries_beside_it():
    own, loader, *libraries = room.furnish(PYTHON)
    assert own == RoomFile(PYTHON, "/program")
    assert loader.target == room.elf.read(PYTHON).interpreter
    assert any(file.target.rpartition("/")[2].startswith("libc.") for file in libraries)
    assert {str(Path(file.target).parent) for file in libraries} == {str(loader.source.parent)}
    targets = [file.target for file in (own, loader, *libraries)]
    assert len(set(targets)) == len(targets)
    assert all(file.source == file.source.resolve() for file in libraries)


@pytest.mark.parametrize(
    "loader",
    [
        b"/etc/passwd",
        b"/lib/../etc/passwd",
        b"lib/ld.so",
        b"/python/lib/os.py",
        b"/dev/null",
        b"/tmp/x",
        b"/lib/./x",
        b"/",
    ],
)
def test_a_loader_that_is_none_is_refused_before_anything_is_opened(program, loader):
    with pytest.raises(OperatorError, match="asks for the loader"):
        room.furnish(program(tinyelf.program(1, interpreter=loader)))


def test_a_loader_that_is_absent_or_no_elf_file_is_refused(program):
    with pytest.raises(OperatorError, match="/ld-absent: cannot be read"):
        room.furnish(program(tinyelf.program(1, interpreter=b"/lib/ld-absent")))


@pytest.mark.parametrize("name", [b"../../etc/passwd", b"/etc/passwd", b".", b"", b"a b", b"x" * 300])
def test_a_library_that_is_a_path_is_refused(program, name):
    with pytest.raises(OperatorError, match="which is no library's name"):
        room.furnish(program(needing(name)))


def test_a_library_is_found_where_the_program_says_and_only_when_it_is_one(program, tmp_path):
    """A folder that the program names shows it ELF files of this machine and nothing else."""
    file = program(needing(b"mine.so", runpath=b"$ORIGIN/lib:" + str(tmp_path).encode()))
    with pytest.raises(OperatorError, match=r"program needs mine\.so, which is not found"):
        room.furnish(file)
    program(b"a secret", "mine.so")
    with pytest.raises(OperatorError, match=r"program needs mine\.so, which is not found"):
        room.furnish(file)
    library = program(tinyelf.program(1), "mine.so")
    assert room.furnish(file)[2].source == library


def test_a_relative_folder_is_passed_over(program, tmp_path, monkeypatch):
    program(tinyelf.program(1), "mine.so")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OperatorError, match="which is not found"):
        room.furnish(program(needing(b"mine.so", runpath=b".:")))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"#!/bin/sh\n", "program: no ELF file for this machine"),
        (b"", "program: no ELF file for this machine"),
    ],
)
def test_what_is_no_program_is_refused(program, data, words):
    with pytest.raises(OperatorError, match=words) as refusal:
        room.furnish(program(data))
    assert "pp sandbox run takes a Python file" in refusal.value.hint


def test_a_folder_and_an_absent_file_are_refused(tmp_path):
    for file in (tmp_path, tmp_path / "absent"):
        with pytest.raises(OperatorError, match="cannot be read"):
            room.furnish(file)
