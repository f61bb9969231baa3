"""A malformed pp.toml: one clear line with file, key and hint, exit status 1, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
from pp_host.app.founding import AGENT_VALUE, found_home
from pp_host.cli.main import main
from pp_host.home import Home

CHECK = "correct it, then: pp config check"
ONE = '[plugins."org.example.agent"]\n'


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("PP_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return Home.create(tmp_path / "home", ONE, lambda _: None)


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder below `folder` with its mode and bytes."""
    found = sorted(folder.rglob("*"))
    return {str(path): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"") for path in found}


@pytest.mark.parametrize(
    "command", [["config", "check"], ["run", "--cycles", "1"], ["run", "--cycles", "1", "--json"]]
)
@pytest.mark.parametrize(
    ("data", "line", "hint"),
    [
        (
            b"[host]\ncycle_secs = 5\n",
            "pp.toml:2: host.cycle_secs: unknown key",
            "did you mean cycle_seconds?",
        ),
        (
            b"[risk]\nmax_order_usd = 5\nmax_order_usd = 6\n",
            "pp.toml:3: risk.max_order_usd: defined twice, first on line 2",
            "keep one of them",
        ),
        (
            b'[risk]\nmax_order_usd = "5"\n',
            'pp.toml:2: risk.max_order_usd: expected dollars with at most 6 decimals, 0 to 1000000000, got "5"',
            CHECK,
        ),
        (b"[host]\n# caf\xe9\n", "pp.toml:2: not UTF-8 text", "save the file as UTF-8"),
        (
            b"#" * (10 << 20),
            "{file}: larger than 262,144 bytes",
            "is it the right file?",
        ),
        (b"[host\n", "pp.toml:1: not valid TOML: expected ']' at the end of a table declaration", CHECK),
        (
            b"[risk]\nmax_order_usd = 200\n",
            "pp.toml:2: risk.max_order_usd: 200 is more than risk.max_market_usd (100)",
            CHECK,
        ),
        (
            b'[tape]\n"\\u001b[2J" = 1\n',
            'pp.toml:2: tape."\\u001b[2J": unknown key',
            "known: depth_usd, spread_ticks, tick",
        ),
        (
            '[host]\nmode = "\u202epaper"\n'.encode(),
            'pp.toml:2: host.mode: expected "dry-run" or "paper", got "\\u202epaper"',
            CHECK,
        ),
    ],
    ids=["unknown", "duplicate", "type", "utf8", "10MB", "toml", "contradiction", "escape", "bidi"],
)
def test_one_line_one_hint_and_nothing_written(home, capsys, command, data, line, hint):
    home.config_file.write_bytes(data)
    before = everything(home.root)
    assert main([*command, "--home", str(home.root)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"pp: error: {line.format(file=home.config_file)}\npp: hint: {hint}\n"
    assert everything(home.root) == before


@pytest.fixture(scope="module")
def furnished(tmp_path_factory):
    """A home with the built-in plugins; and its settings as they were made."""
    made = found_home(tmp_path_factory.mktemp("furnished") / "home")
    return made, made.config_file.read_text()


def test_the_same_command_accepts_a_good_file(furnished, capsys):
    home, text = furnished
    home.config_file.write_text(text)
    assert main(["config", "check", "--home", str(home.root)]) == 0
    told = capsys.readouterr()
    assert told.out == f"ok: {home.config_file}: 3 of 10 plugins enabled, mode paper\n"
    assert told.err == ""


SETTINGS = f'plugins."{AGENT_VALUE}".config'


@pytest.mark.parametrize(
    ("section", "line"),
    [
        (
            f'[plugins."{AGENT_VALUE}"]\nconfig = {{edge_cent = 3}}\n',
            f"pp.toml:2: {SETTINGS}.edge_cent: unknown key",
        ),
        (
            f"\n[{SETTINGS}]\nedge_cents = true\n",
            f"pp.toml:3: {SETTINGS}.edge_cents: expected integer, got bool",
        ),
        ('[plugins."org.example.agent"]\n', 'pp.toml:1: plugins."org.example.agent": not installed'),
    ],
    ids=["inline", "table", "not installed"],
)
def test_what_a_run_would_refuse_of_a_plugin_is_found(furnished, capsys, section, line):
    home, _ = furnished
    home.config_file.write_text(section)
    assert main(["config", "check", "--home", str(home.root)]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.splitlines()[0]) == ("", f"pp: error: {line}")


def test_a_plugin_that_is_not_enabled_is_not_looked_at(furnished, capsys):
    home, _ = furnished
    home.config_file.write_text('[plugins."org.example.agent"]\nenabled = false\n')
    assert main(["config", "check", "--home", str(home.root)]) == 1
    assert capsys.readouterr().err.startswith("pp: error: pp.toml: no plugin is enabled\n")


def test_live_trading_is_refused_by_policy(home, capsys):
    home.config_file.write_text('[host]\nmode = "live"\n')
    assert main(["config", "check", "--home", str(home.root)]) == 3
    assert capsys.readouterr().err == (
        "pp: error: pp.toml:2: host.mode: live trading is not offered by this version\n"
        'pp: hint: use mode = "paper" or "dry-run"\n'
    )


@pytest.mark.parametrize("command", [["config", "check"], ["run", "--cycles", "1"]])
def test_a_guarded_setting_in_the_environment_is_refused(home, capsys, monkeypatch, command):
    monkeypatch.setenv("PP__RISK__MAX_ORDER_USD", "1000")
    before = everything(home.root)
    assert main([*command, "--home", str(home.root)]) == 3
    assert capsys.readouterr().err == (
        "pp: error: PP__RISK__MAX_ORDER_USD: this setting cannot come from the environment\n"
        "pp: hint: unset PP__RISK__MAX_ORDER_USD; edit pp.toml\n"
    )
    assert everything(home.root) == before


def test_a_home_without_pp_toml(home, capsys):
    home.config_file.unlink()
    assert main(["config", "check", "--home", str(home.root)]) == 1
    assert capsys.readouterr().err == (
        f"pp: error: {home.config_file}: cannot be read: No such file or directory\n"
        "pp: hint: put a copy back; an empty file means every default\n"
    )
