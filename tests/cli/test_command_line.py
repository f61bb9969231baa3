"""`pp` itself: exit statuses, one line per error, and no module imported that the command does not need."""

from __future__ import annotations

import importlib
import inspect
import io
import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import typer
from pp_host.app.founding import found_home
from pp_host.cli import main as command_line
from pp_host.cli.main import COMMANDS, Place, main
from pp_host.cli.output import called
from pp_host.errors import HostError, OperatorError, PluginError, RecordError, Refused, VenueError
from pp_host.home import Home
from pp_host.latch import read_latch

PP = Path(sys.executable).with_name("pp")


def pp(*arguments, **options):
    return subprocess.run(
        [PP, *arguments], capture_output=True, text=True, check=False, timeout=60, **options
    )


@pytest.fixture
def command(monkeypatch):
    """Make `pp probe` do what the test says."""

    def install(action):
        room = type(sys)("pp_host.cli.probe")
        room.probe = action
        monkeypatch.setitem(sys.modules, "pp_host.cli.probe", room)
        monkeypatch.setattr(
            command_line, "COMMANDS", {**COMMANDS, "probe": Place("probe", "probe", "A test.")}
        )

    return install


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OperatorError("what", hint="remedy"), 1),
        (Refused("what", hint="remedy"), 3),
        (PluginError("what", hint="remedy"), 4),
        (VenueError("what", hint="remedy"), 4),
        (RecordError("what", hint="remedy"), 1),
        (HostError("what", hint="remedy"), 70),
    ],
)
def test_an_error_is_a_line_a_hint_and_a_status(command, capsys, error, status):
    def action() -> None:
        raise error

    command(action)
    assert main(["probe"]) == status
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "pp: error: what\npp: hint: remedy\n")


def test_an_error_cannot_draw_on_the_terminal(command, capsys):
    def action() -> None:
        raise OperatorError("a\x1b[31m\nb\u202e")

    command(action)
    assert main(["probe"]) == 1
    assert capsys.readouterr().err == "pp: error: a\\x1b[31m\\nb\\u202e\n"


def test_a_bug_is_one_line_and_its_traceback_a_private_file(command, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def action() -> None:
        raise ZeroDivisionError("by nought")

    command(action)
    assert main(["probe"]) == 70
    (file,) = tmp_path.iterdir()
    assert capsys.readouterr().err == (
        "pp: error: internal error: ZeroDivisionError: by nought\n"
        f"pp: hint: a bug of ours; please report it with {file}\n"
    )
    assert "ZeroDivisionError: by nought" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (KeyboardInterrupt(), 130, ""),
        (typer.Abort(), 1, "pp: error: aborted; nothing was done\n"),
        (typer.Exit(3), 3, ""),
        (PermissionError(13, "Permission denied", "/x/y"), 1, "pp: error: /x/y: Permission denied\n"),
        (OSError(28, "No space left on device"), 1, "pp: error: system: No space left on device\n"),
    ],
)
def test_other_ends(command, capsys, error, status, line):
    def action() -> None:
        raise error

    command(action)
    assert main(["probe"]) == status
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("arguments", "line", "hint"),
    [
        (["nonsense"], "No such command 'nonsense'.", "pp --help"),
        (["--bogus"], "No such option: --bogus", "pp --help"),
        (["resume"], "Missing option '--reason'.", "pp resume --help"),
        (["config", "bogus"], "No such command 'bogus'.", "pp config --help"),
        (["status", "extra"], "Got unexpected extra argument(s) (extra)", "pp status --help"),
        (["run", "--cycles", "x"], None, "pp run --help"),
    ],
)
def test_misuse_is_status_2(capsys, arguments, line, hint):
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    first, second = told.err.splitlines()
    assert first.startswith("pp: error: ")
    assert line is None or first == f"pp: error: {line}"
    assert second == f"pp: hint: {hint}"


def test_help_and_version(capsys):
    for arguments in ([], ["--help"]):
        assert main(arguments) == 0
        told = capsys.readouterr()
        assert all(place.summary[:40] in told.out for place in COMMANDS.values())
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("pp ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_answers_in_json(name, capsys):
    place = COMMANDS[name]
    found = getattr(importlib.import_module(f"pp_host.cli.{place.module}"), place.attribute)
    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: pp {name}")
    functions = (
        [entry.callback for entry in found.registered_commands] if isinstance(found, typer.Typer) else [found]
    )
    for function in functions:
        parameters = inspect.signature(function).parameters
        assert "as_json" in parameters, function
        assert {"home", "_home"} & set(parameters), function


def test_help_imports_no_command():
    wanted = "import sys; from pp_host.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    modules = subprocess.run(
        [sys.executable, "-c", wanted], capture_output=True, text=True, check=True
    ).stderr.split()
    heavy = {
        "rich",
        "cryptography",
        "sqlmodel",
        "asyncio",
        "anyio",
        "yaml",
        "pluggy",
        "pp_host.config",
        "pp_host.home",
    }
    assert heavy.isdisjoint(modules)
    assert {"typer", "pp_host.cli.main"} <= set(modules)


def test_completion_knows_the_options_of_commands():
    environ = {
        **os.environ,
        "_PP_COMPLETE": "complete_bash",
        "COMP_WORDS": "pp resume --rea",
        "COMP_CWORD": "2",
    }
    assert "--reason" in pp(env=environ).stdout


def test_a_full_disk_under_stdout_is_not_success():
    with open("/dev/full", "w") as full:
        done = subprocess.run([PP, "--version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_init_kill_status_resume_without_a_host(tmp_path, capsys):
    home = tmp_path / "a home"

    def said(*arguments):
        assert main([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    made = said("init", str(home))
    assert made == {"home": str(home), "origin": made["origin"], "config": str(home / "pp.toml")}
    killed = said("kill", "--home", str(home), "--reason", "enough")
    assert killed == {
        "halted": True,
        "latched": True,
        "host": "absent",
        "recorded": killed["recorded"],
        "unconfirmed": [],
    }
    assert said("status", "--home", str(home))["latched"] == "enough"
    assert main(["run", "--cycles", "1", "--home", str(home)]) == 3
    assert "pp: error: halted: enough\n" in capsys.readouterr().err
    assert said("resume", "--home", str(home), "--reason", "all clear")["recorded"] > killed["recorded"]
    assert said("status", "--home", str(home))["latched"] is None


def test_stop_without_a_host(tmp_path, capsys):
    home = Home.create(tmp_path / "home", "", lambda _: None)
    assert main(["stop", "--home", str(home.root)]) == 1
    assert capsys.readouterr().err == (
        f"pp: error: {home.root}: no host is running\npp: hint: pp run starts one\n"
    )


def test_kill_latches_even_a_home_that_is_refused_otherwise(tmp_path, capsys):
    home = Home.create(tmp_path / "home", "", lambda _: None)
    home.root.chmod(0o755)
    assert main(["kill", "--home", str(home.root), "--reason", "enough", "--json"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["halted"] is False
    assert "the home is open to other users" in told.err
    assert read_latch(home.state) == "enough"


def test_a_kill_needs_no_good_reason(tmp_path, capsys):
    home = found_home(tmp_path / "home")
    for reason, kept in (("  ", "no reason given"), ("\x1b[2J" + "x" * 600, "\\x1b[2J" + "x" * 493)):
        assert main(["kill", "--home", str(home.root), "--reason", reason]) == 0
        assert read_latch(home.state) == kept
    assert "HALTED" in capsys.readouterr().out


def test_kill_of_no_home_at_all_is_a_plain_error(tmp_path, capsys):
    assert main(["kill", "--home", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == (
        f"pp: error: {tmp_path / 'none'}: no home here: No such file or directory\n"
        f"pp: hint: pp init {tmp_path / 'none'}\n"
    )


def test_a_reason_of_blanks_is_none(tmp_path, capsys):
    home = Home.create(tmp_path / "home", "", lambda _: None)
    assert main(["resume", "--reason", "  ", "--home", str(home.root)]) == 1
    assert "--reason: no reason given" in capsys.readouterr().err


def test_init_twice_and_into_two_places(tmp_path, capsys):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "kept").write_text("x")
    assert main(["init", str(tmp_path / "home")]) == 1
    assert capsys.readouterr().err.startswith(f"pp: error: {tmp_path / 'home'}: exists and is not empty\n")
    assert main(["init", "a", "--home", "b"]) == 1
    assert (
        capsys.readouterr().err
        == "pp: error: pp init: two folders named\npp: hint: give DIR or --home, not both\n"
    )


@pytest.mark.parametrize(
    ("word", "path", "shown"),
    [
        (".venv/bin/pp", "", ".venv/bin/pp"),
        ("/opt/my tools/pp", "", "'/opt/my tools/pp'"),
        ("bin/pp", "bin", "pp"),
        ("/somewhere/pytest", "", "pp"),
    ],
)
def test_what_to_type_next_begins_as_this_was_called(tmp_path, monkeypatch, word, path, shown):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pp").touch(mode=0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(sys, "argv", [word])
    assert called() == shown


def test_init_and_demo_tell_the_same_words_for_a_shell(tmp_path, capsys):
    from pp_host.cli.run import draw_demo

    home = tmp_path / "a home"
    assert main(["init", str(home)]) == 0
    assert f"\n  pp plugin list --home '{home}'\n" in capsys.readouterr().out
    told = narrow()
    result = {**RESULT, "home": str(home), "last_order": "abc"}
    draw_demo(told, result)
    assert f"\n  pp audit why abc --home '{home}'\n  pp positions --home '{home}'\n" in told.file.getvalue()


# --- nothing an operator does is a bug of ours ---


@pytest.mark.parametrize(
    "words",
    [["init", "x\udcff"], ["audit", "tail", "--event", "\udcff"], ["status", "--home", "x\udcff"]],
    ids=["folder", "event", "home"],
)
def test_words_that_are_not_utf_8_are_refused(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 1
    assert capsys.readouterr().err.endswith("\\udcff: not UTF-8 text\npp: hint: name it in UTF-8\n")
    assert not list(tmp_path.iterdir())


def test_a_kill_is_not_refused_for_its_words(tmp_path):
    home = found_home(tmp_path / "home")
    assert main(["kill", "--home", str(home.root), "--reason", "\udcff"]) == 0
    assert read_latch(home.state) == "\\udcff"


def test_cycles_are_bounded(capsys):
    assert main(["run", "--cycles", "9223372036854775808"]) == 2
    assert "less than or equal to 1000000000" in capsys.readouterr().err


def test_status_of_a_home_with_a_percent_sign_and_of_a_broken_read_model(tmp_path, capsys):
    home = found_home(tmp_path / "a%41b")
    model = home.state / "read.db"
    for garbage in (None, b"garbage" * 999):
        if garbage:
            model.write_bytes(garbage)
        assert main(["status", "--home", str(home.root)]) == 0
    capsys.readouterr()
    model.unlink()
    model.mkdir()
    assert main(["status", "--home", str(home.root)]) == 1
    assert capsys.readouterr().err.startswith(f"pp: error: {model}: not a regular file\n")


def test_a_kill_of_a_wrong_folder_promises_nothing(tmp_path, capsys):
    assert main(["kill", "--home", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "NOT CERTAINLY HALTED" in told
    assert "Nothing new is sent until" not in told
    home = found_home(tmp_path / "home")
    assert main(["kill", "--home", str(home.root)]) == 0
    assert "Nothing new is sent until: pp resume" in capsys.readouterr().out


@pytest.mark.parametrize("latch_lost", [False, True])
def test_resume_lifts_what_is_halted_and_nothing_else(tmp_path, capsys, latch_lost):
    home = found_home(tmp_path / "home")

    def resumed():
        assert main(["resume", "--reason", "all clear", "--home", str(home.root)]) == 0
        return capsys.readouterr().out

    def size():
        assert main(["audit", "verify", "--json", "--home", str(home.root)]) == 0
        return json.loads(capsys.readouterr().out)["size"]

    before = size()
    assert (resumed(), size()) == ("nothing is halted\n", before)
    assert main(["kill", "--home", str(home.root)]) == 0
    if latch_lost:
        (home.state / "KILL").unlink()
    capsys.readouterr()
    assert resumed().startswith("resumed: entry ")
    after = size()
    assert (resumed(), size()) == ("nothing is halted\n", after)


# --- 80 columns ---


RESULT = {
    "plugins": [],
    "verdicts": {},
    "reasons": {},
    **dict.fromkeys(
        ("equity_start", "equity_end", "cash", "reserved", "positions_cost", "fees", "realised"), 0
    ),
    **dict.fromkeys(("decisions", "orders", "fills", "settled", "unsettled"), 0),
    "record": {"verified": True, "size": 0, "root": ""},
    **dict.fromkeys(("actions_digest", "run", "home"), ""),
}


def narrow():
    from rich.console import Console

    return Console(width=80, file=io.StringIO(), highlight=False, emoji=False, markup=False)


def cells(console, column):
    """The text of a column of the drawn tables, its lines joined again."""
    lines = [
        line.split("\u2502") for line in console.file.getvalue().splitlines() if line.startswith("\u2502")
    ]
    return "".join(line[column].strip() for line in lines)


def test_ids_are_folded_and_never_cut(tmp_path):
    from pp_host.app.inventory import installed as inventory
    from pp_host.cli.consent import draw_installed
    from pp_host.cli.run import draw_result
    from pp_host.cli.trust import _draw
    from pp_host.trust.truststore import TrustStore

    home = found_home(tmp_path / "home")
    installed, found = narrow(), inventory(home)
    draw_installed(installed, found)
    drawn = installed.file.getvalue()
    assert {(one.kind, one.state) for one in found} >= {
        ("agent", "enabled"),
        ("agent", "resting"),
        ("output", "resting"),
    }
    for one in found:
        name = one.grant.id.rpartition(".")[2]
        assert re.search(rf"│ {name} +│ {one.grant.version} +│ {one.kind} +│ {one.state} +│", drawn)
    trusted, keys = narrow(), TrustStore.open(home.trust_file).keys
    _draw(trusted, keys)
    assert all(key.keyid in cells(trusted, 2) for key in keys)
    plugin = {
        "id": "org.example.a-plugin-of-a-very-long-name.and-then-some.more-than-eighty-columns-hold",
        "version": "1.0.0",
        "digest": "f" * 64,
        "level": "L3",
        "pid": 4_194_304,
        "calls": 1_000_000,
        "failures": 0,
        "state": "stopped",
        "ended": "",
    }
    ran, both = narrow(), narrow()
    draw_result(ran, {**RESULT, "plugins": [plugin]})
    assert cells(ran, 1).startswith("more-than-eighty-columns-hold")
    alike = {**plugin, "id": "org.example.another.more-than-eighty-columns-hold"}
    draw_result(both, {**RESULT, "plugins": [plugin, alike]})
    assert plugin["id"] + alike["id"] in cells(both, 1)
    assert "\u2026" not in "".join(console.file.getvalue() for console in (installed, trusted, ran))


def test_the_money_of_a_run_adds_up():
    from pp_host.cli.run import draw_result

    money = {
        "cash": 965_340_000,
        "reserved": 1_000_000,
        "positions_cost": 153_850_000,
        "equity_end": 995_060_000,
    }
    drawn = narrow()
    draw_result(drawn, {**RESULT, **money})
    rows = dict(re.findall(r"│ (\S.*?) +│ \$ (\S+) +│", drawn.file.getvalue()))
    shown = ("cash", "reserved for open orders", "positions at cost", "unrealised")
    assert [rows[name] for name in shown] == ["965.34", "1.00", "153.85", "-125.13"]
    assert sum(Decimal(rows[name]) for name in shown) == Decimal(rows["equity at end"])


def test_the_doctor_says_which_walls_stand(tmp_path):
    from pp_host.cli import doctor

    def drawn(ok):
        console = narrow()
        walls = [{"name": name, "ok": ok, "proof": "seen", "remedy": ""} for name in ("mount", "seccomp")]
        latched = doctor._check("trading", ok, "enough", "pp resume")
        doctor._draw(console, {"level": "L3", "walls": walls, "checks": [latched]})
        return console.file.getvalue()

    assert drawn(True).endswith("all walls stand\n")
    fallen = drawn(False)
    assert fallen.endswith("walls that do not stand: mount, seccomp\n")
    assert "halted" in fallen.partition("Checks")[2]
    assert "missing" not in fallen.partition("Checks")[2]
    assert all(title in fallen for title in ("wall ", "check ", "state "))
