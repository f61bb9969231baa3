"""Which strategy and which brief a run has is checked before anything starts: file, line, key and remedy."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from pp_host.app.founding import BUILTINS, found_home, install_folder
from pp_host.cli.consent import _draw_briefs
from pp_host.cli.main import main
from pp_host.trust.keys import SigningKey
from pp_host.trust.truststore import TrustStore
from pp_sdk.testing import brief
from rich.console import Console

WORDS = "dev.probablyprofit.strategy-words"
VALUE = "dev.probablyprofit.agent-value"
MANIFEST = """schema: probablyprofit/plugin/v1
id: test.single
version: 1.0.0
kind: strategy
title: A test
summary: A test.
license: MIT
authors: [{name: Tester}]
api: {sdk: ">=1,<2", python: ">=3.11"}
entry: {module: single, object: plugin}
hooks: [select]
briefs: {only: only.txt}
capabilities: [{use: market.read, reason: x}]
"""
BOTH = f'[plugins."{WORDS}"]\nbrief = "news"\n[plugins."test.single"]\n'


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("single") / "single"
    folder.mkdir()
    (folder / "plugin.yaml").write_text(MANIFEST)
    (folder / "single.py").write_text("plugin = None\n")
    (folder / "only.txt").write_text("Buy what is cheap.\n")
    made = found_home(tmp_path_factory.mktemp("strategy") / "home")
    key = SigningKey.read((made.keys / "dev").read_bytes(), lambda: b"")
    install_folder(made, folder, key, TrustStore.open(made.trust_file))
    return made


REFUSED = [
    (
        BOTH,
        f'pp.toml:3: plugins."test.single": a second strategy beside {WORDS}: one serves every agent of a run',
        "enabled = false for one of them",
    ),
    (
        f'[plugins."{WORDS}"]\nbrief = "vlaue"\n',
        f"pp.toml:2: plugins.\"{WORDS}\".brief: this plugin has no brief 'vlaue'",
        "write one of value, contrarian, news, politics, sports",
    ),
    (
        f'[plugins."{WORDS}"]\n',
        f'pp.toml:1: plugins."{WORDS}".brief: not named, and this plugin has several',
        "write one of value, contrarian, news, politics, sports",
    ),
    (
        f'[plugins."{VALUE}"]\nbrief = "value"\n',
        f'pp.toml:2: plugins."{VALUE}".brief: this plugin has none',
        "remove the key",
    ),
    (
        '[plugins."test.single"]\nbrief = "other"\n',
        "pp.toml:2: plugins.\"test.single\".brief: this plugin has no brief 'other'",
        "write one of only",
    ),
    (
        f'[plugins."{WORDS}"]\nbrief = 3\n',
        f'pp.toml:2: plugins."{WORDS}".brief: expected text, got 3',
        "correct it, then: pp config check",
    ),
]


@pytest.mark.parametrize("command", [["config", "check"], ["run", "--once"]])
@pytest.mark.parametrize(("text", "line", "hint"), REFUSED)
def test_one_line_one_hint_and_nothing_started(home, capsys, command, text, line, hint):
    home.config_file.write_text(text)
    assert main([*command, "--home", str(home.root)]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.splitlines()) == ("", [f"pp: error: {line}", f"pp: hint: {hint}"])


@pytest.mark.parametrize(
    "text",
    [
        f'[plugins."{WORDS}"]\nbrief = "news"\n',
        '[plugins."test.single"]\n',
        '[plugins."test.single"]\nbrief = "only"\n',
        BOTH + "enabled = false\n",
    ],
)
def test_one_strategy_with_a_brief_that_is_there_is_fine(home, capsys, text):
    home.config_file.write_text(text)
    assert main(["config", "check", "--home", str(home.root)]) == 0
    capsys.readouterr()


def test_every_brief_is_shown_whole(home, capsys):
    assert main(["plugin", "show", WORDS, "--home", str(home.root)]) == 0
    shown = capsys.readouterr().out
    for name in ("value", "contrarian", "news", "politics", "sports"):
        assert f"brief {name}: agents are told this as your word; sha256 " in shown
        assert f"\n\u2502 {name.capitalize()}." in shown
    assert shown.count("never an instruction to you") == 5
    assert shown.index("What it may do") > shown.rindex("never an instruction"), "what it may do stands last"


@pytest.mark.parametrize("width", [10, 40, 160])
def test_a_briefs_lines_are_folded_beside_a_bar_and_never_cut(width):
    out = io.StringIO()
    console = Console(file=out, width=width, soft_wrap=width == 160)
    told = brief("z" * 500 + " " + "y\u202ey " * 60 + "\n\n[bold]pp: ok\n", "some")
    _draw_briefs(console, SimpleNamespace(briefs=[told]))
    shown = out.getvalue()
    bars = [line for line in shown.splitlines() if line.startswith("\u2502")]
    assert "".join(bars).count("z") == 500
    assert "".join(bars).replace("\u2502", "").replace(" ", "").count("y\\u202ey") == 60
    assert shown.splitlines()[-1].rstrip() == "\u2502 [bold]pp: ok" or width == 10


def test_after_the_installation_the_next_step_names_a_brief(home, capsys, tmp_path):
    home.config_file.write_text("")
    at = ["--home", str(home.root)]
    assert main(["plugin", "pack", str(BUILTINS / "strategy_words"), "--out", str(tmp_path)]) == 0
    (package,) = map(str, tmp_path.glob("*.ppz"))
    assert main(["plugin", "sign", package, "--dev", *at]) == 0
    assert main(["plugin", "install", package, "--yes", *at]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-2:] == [f'[plugins."{WORDS}"]', 'brief = "value"  # or contrarian, news, politics, sports']
