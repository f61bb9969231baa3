"""Foreign programs put behind the walls as an operator does it, and outside as the control."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pp_host.cli.main import main

from tests.escape.programs import tinyelf

PP = Path(sys.executable).with_name("pp")
COMPILER = shutil.which("gcc") or shutil.which("cc")


@pytest.fixture
def sandbox(capsys):
    """sandbox("exec", "--", file), in this process: (status of pp, its document)."""

    def run(*words):
        status = main(["sandbox", words[0], "--json", *map(str, words[1:])])
        told = capsys.readouterr()
        assert status in (0, 3), told.err
        assert told.err == ""
        return status, json.loads(told.out)

    return run


@pytest.fixture
def pp():
    """pp("exec", "--", file), as an operator types it; the finished process."""

    def run(*words, **options):
        return subprocess.run(
            [PP, "sandbox", *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            **options,
        )

    return run


@pytest.fixture(scope="session")
def root():
    return Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """Where programs lie; nobody but the host need get there."""
    return tmp_path_factory.mktemp("programs")


@pytest.fixture
def tiny(shelf, request):
    """tiny(number, ...): a file that makes this one call."""
    if tinyelf.MACHINE not in tinyelf.ASSEMBLERS:
        pytest.skip(f"no assembler for {tinyelf.MACHINE}")

    def make(*arguments, **options):
        file = shelf / f"tiny-{abs(hash((request.node.name, arguments)))}"
        file.write_bytes(tinyelf.program(*arguments, **options))
        file.chmod(0o755)
        return file

    return make


@pytest.fixture(scope="session")
def compiled(shelf):
    """compiled(source, *options): an executable file."""
    if COMPILER is None:
        pytest.skip("no C compiler")

    def make(source, *options):
        file = shelf / f"c-{abs(hash((source, options)))}"
        if not file.exists():
            done = subprocess.run(
                [COMPILER, "-w", "-O1", "-x", "c", "-", "-o", file, *options, "-lpthread"],
                input=source, text=True, capture_output=True, check=False,
            )  # fmt: skip
            if done.returncode and "-static" in options:
                pytest.skip("no static C library")
            assert done.returncode == 0, done.stderr
            file.chmod(0o755)
        return file

    return make
