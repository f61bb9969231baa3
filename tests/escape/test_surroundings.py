"""What a plugin finds around itself: nothing of the host's, and a standard library that works."""

import os
from pathlib import Path

import pytest

from tests.escape.case import gets
from tests.escape.prison import ATTACKS, imprisoned


@pytest.fixture(scope="module")
def prisoner():
    with imprisoned() as one:
        yield one


def test_nothing_but_the_hash_seed_was_left_on_the_start_stack():
    with imprisoned() as prisoner:
        stack = prisoner.tries("leaks", "start_stack", 200)["value"]
    assert "PYTHONHASHSEED=7\0" in stack
    assert stack.count("\0PYTHON") == 1
    assert "HOME=" not in stack


def test_only_stdio_and_the_rpc_socket_are_open():
    inherited = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        with imprisoned() as prisoner:
            assert prisoner.tries("descriptors", "open_ones") == gets([0, 1, 2, 3])
    finally:
        os.close(inherited)


def test_the_whole_view(prisoner):
    """Landlock hides even the root's listing; what can be listed is ours."""
    assert prisoner.tries("files", "listing", "/") == {"errno": "EACCES"}
    assert prisoner.tries("files", "listing", "/python") == gets(["lib", "site"])
    assert prisoner.tries("files", "listing", "/python/site") == gets(["attacks"])
    assert prisoner.tries("files", "overwrite", "/dev/null") == gets(1)


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_site_packages_of_the_host_are_hidden(prisoner, folder):
    assert prisoner.tries("files", "listing", f"/python/lib/{folder}") in (gets([]), {"errno": "ENOENT"})


def test_standard_library_works(prisoner):
    assert prisoner.tries("decent", "library") == gets([42, [0, 2, 4], "e3b0c442", 64, 7])


def test_a_stream_pair_is_allowed(prisoner):
    assert prisoner.tries("decent", "pair") == gets("heard")


def test_a_package_with_native_code_works_when_it_was_loaded_in_time():
    msgspec = Path(pytest.importorskip("msgspec").__file__).parent
    with imprisoned(packages=(ATTACKS, msgspec), preload=("msgspec",)) as prisoner:
        assert prisoner.tries("runtime", "load", "msgspec") == gets(None)
    with imprisoned(packages=(ATTACKS, msgspec)) as prisoner:
        assert prisoner.tries("runtime", "load", "msgspec")["error"] == "ImportError"


def test_selfcheck_reaches_the_entry(prisoner):
    seen = prisoner.tries("", "selfcheck")
    assert seen["read_host_file"] == 2
    assert seen["process_id"] == 1
