"""`pp sandbox run`: a Python file as the body of a plugin, which finds an empty room."""

import json
import re
from pathlib import Path

import pytest

EXAMPLE = re.compile(r"```python\n(# room\.py.*?)```", re.DOTALL)
ENDS = {
    "print('fine')": ("ok", None, "fine\n"),
    "import sys; print('said', end=''); sys.exit(0)": ("ok", None, "said"),
    "import os; os.write(1, b'left'); os._exit(0)": ("ok", None, "left"),
    "import sys; print('said'); sys.exit(3)": ("error", None, "said\n"),
    "print('said', end=''); 1 / 0": ("error", None, "said"),
    "this is no Python": ("error", None, ""),
    "import ctypes; print('said'); ctypes.CDLL(None).ptrace(0, 0, 0, 0)": ("violation", "SIGKILL", "said\n"),
    "import os; print('said'); os.execv('/bin/sh', ['sh'])": ("violation", "SIGKILL", "said\n"),
    "import os, time; print('said'); os.write(3, b'\\xff' * 64); time.sleep(60)": (
        "violation",
        "SIGKILL",
        "said\n",
    ),
    "import ctypes; print('said'); ctypes.string_at(0)": ("signaled", "SIGSEGV", "said\n"),
    "import time; print('said'); time.sleep(60)": ("timeout", "SIGKILL", "said\n"),
    "print('said')\nwhile True: pass": ("limit", "SIGKILL", "said\n"),
}
HOST = "import pp_sdk; pp_sdk.log.info('heard'); print(pp_sdk.clock.now() > 0, __name__, __file__)"


@pytest.fixture
def script(tmp_path):
    """script(source): a file that holds it."""

    def make(source):
        file = tmp_path / "attack of mine.py"
        file.write_text(source)
        return file

    return make


def test_the_room_of_the_manual_is_empty(pp, script, root):
    """The example of docs/CLI.md, as printed there."""
    source = EXAMPLE.search((root / "docs" / "CLI.md").read_text(encoding="utf-8"))[1]
    done = pp("run", "--json", script(source), env={"SECRET": "x", "PATH": "/usr/bin:/bin"}, input="words")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.pop("stdout").splitlines() == [
        "user 1000, process 1",
        "environment {}, input ''",
        "descriptors [0, 1, 2, 3]",
        "/: Permission denied",
        "/proc: No such file or directory",
        "/proc/self/mounts: No such file or directory",
        "/etc/passwd: No such file or directory",
        "/home: No such file or directory",
        "/tmp: Permission denied",
    ]
    assert told == {"level": "L3", "outcome": "ok", "signal": None, "stderr": "", "denied": []}


@pytest.mark.parametrize("source", ENDS)
def test_how_it_ends_and_what_it_said_before(sandbox, script, source):
    outcome, sign, stdout = ENDS[source]
    seconds = 2 if outcome == "timeout" else 30
    status, told = sandbox("run", "--seconds", seconds, script(source))
    assert (told["outcome"], told["signal"], told["stdout"]) == (outcome, sign, stdout)
    assert told["denied"] == [name for name in ("ptrace", "execve") if name[:4] in source]
    assert status == (0 if outcome == "ok" else 3)


def test_an_error_of_its_own_is_shown_with_its_line(sandbox, script):
    _, told = sandbox("run", script("def f():\n    raise KeyError('mine')\nf()\n"))
    assert "File \"ppz:/body.py\", line 2, in f\n    raise KeyError('mine')" in told["stderr"]


def test_it_speaks_to_the_host_as_a_plugin_does(sandbox, script):
    status, told = sandbox("run", script(HOST))
    assert (status, told["stdout"]) == (0, "True __main__ ppz:/body.py\n")


def test_it_may_not_ask_for_what_was_not_granted(sandbox, script):
    _, told = sandbox("run", script("from pp_sdk import kv\nkv.put('a', b'b')"))
    assert told["outcome"] == "error"
    assert "RemoteError" in told["stderr"]


MEMORY = "hoard = []\nwhile True: hoard.append(bytes(1 << 20)); print(len(hoard))"


def most(told):
    return max(map(int, told["stdout"].splitlines()))


def test_memory_is_as_granted(sandbox, script):
    _, usual = sandbox("run", script(MEMORY))
    _, more = sandbox("run", "--grant", "memory_mb=512", script(MEMORY))
    assert 50 < most(usual) < 256 < most(more) < 512


def test_scratch_space_is_as_granted(sandbox, script):
    source = "import os\nopen('/tmp/x', 'wb').write(bytes(2 << 20)); print(os.listdir('/tmp'))"
    assert sandbox("run", script(source))[1]["outcome"] == "error"
    status, told = sandbox("run", "--grant", "tmp_mb=3", script(source))
    assert (status, told["stdout"]) == (0, "['x']\n")


def test_processor_time_is_as_granted(sandbox, script):
    source = "import time\nwhile time.process_time() < 2.5: pass\nprint('done')"
    assert sandbox("run", script(source))[1]["outcome"] == "limit"
    status, told = sandbox("run", "--seconds", 30, "--grant", "cpu_seconds_per_call=20", script(source))
    assert (status, told["stdout"]) == (0, "done\n")


def test_the_host_is_as_before(sandbox, script):
    """Descriptors, children and files, whatever became of the guest."""
    import os

    def seen():
        return sorted(os.listdir("/proc/self/fd")), Path(
            f"/proc/self/task/{os.getpid()}/children"
        ).read_text()

    before = seen()
    for source in ("print(1)", "1 / 0", "import os; os.abort()"):
        sandbox("run", script(source))
    assert seen() == before
