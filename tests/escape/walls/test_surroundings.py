"""What a plugin finds around itself: nothing of the host's, and a standard library that works."""

import os
import sys
from pathlib import Path

import pytest

MARK = "PP_MARK_OF_THE_HOST"


def test_environment_is_empty(imprison, outside, monkeypatch):
    monkeypatch.setenv(MARK, "secret")
    with imprison() as prisoner:
        assert prisoner.tries("environment") == {"value": {}}
        assert prisoner.tries("c_environment", MARK) == {"value": None}
        assert prisoner.tries("c_environment", "PYTHONHASHSEED") == {"value": None}
    assert outside("c_environment", MARK) == {"value": "secret"}


def test_nothing_was_left_on_the_start_stack(imprison, outside):
    with imprison() as prisoner:
        stack = prisoner.tries("start_stack", 200)["value"]
    assert "PYTHONHASHSEED=7\0" in stack
    assert stack.count("\0PYTHON") == 1
    assert "HOME=" not in stack
    assert MARK in outside("start_stack", 200, environment={MARK: "secret"})["value"]


def test_only_stdio_and_the_rpc_socket_are_open(imprison):
    inherited = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        with imprison() as prisoner:
            assert prisoner.tries("descriptors") == {"value": [0, 1, 2, 3]}
    finally:
        os.close(inherited)


def test_the_whole_view(prisoner):
    """Landlock hides even the root's listing; what can be listed is ours."""
    assert prisoner.tries("list_folder", "/") == {"errno": "EACCES"}
    assert prisoner.tries("list_folder", "/dev") == {"errno": "EACCES"}
    assert prisoner.tries("list_folder", "/python") == {"value": ["lib", "site"]}
    assert prisoner.tries("tree", "/python/site") == {"value": ["/python/site/attacker.py"]}


def test_host_paths_are_not_shown(prisoner, outside):
    prefixes = [os.path.dirname(os.__file__), str(Path(__file__).parent), sys.prefix]
    assert prisoner.tries("host_paths", prefixes) == {"value": []}
    assert outside("host_paths", prefixes)["value"] != []


def test_standard_library_works(prisoner):
    assert prisoner.tries("library") == {"value": [42, [0, 2, 4], "e3b0c442", 64, 7]}


def test_a_package_with_native_code_works_when_it_was_loaded_in_time(imprison):
    msgspec = Path(pytest.importorskip("msgspec").__file__).parent
    attacker = Path(__file__).with_name("attacker.py")
    with imprison(packages=(attacker, msgspec), preload=("msgspec",)) as prisoner:
        assert prisoner.tries("import_module", "msgspec") == {"value": None}
    with imprison(packages=(attacker, msgspec)) as prisoner:
        assert prisoner.tries("import_module", "msgspec") == {"error": "ImportError"}


def test_selfcheck_reaches_the_entry(prisoner):
    seen = prisoner.tries("selfcheck")
    assert seen["read_host_file"] == 2
    assert seen["process_id"] == 1


def test_a_daemon_thread_does_not_abort_the_end(victim):
    assert victim.tries("daemon_thread") == {"value": None}
    assert victim.ends() == 0
    assert victim.last_words == ""


@pytest.mark.parametrize("number", [15, 2, 1])
def test_no_signal_handler_outlives_sigkill(victim, number):
    assert victim.tries("hold_signal", number) == {"value": None}
    os.kill(victim.jailed.pid, number)
    assert "value" in victim.tries("identity")
    os.kill(victim.jailed.pid, 9)
    assert victim.ends() == "SIGKILL"
