"""`pp demo` and `pp audit why`, as a newcomer meets them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

FIELDS = {
    "home": str, "run": str, "cycles": int, "seed": int, "plugins": list, "decisions": int, "verdicts": dict,
    "orders": int, "fills": int, "equity_start": int, "equity_end": int, "actions_digest": str, "record": dict,
}  # fmt: skip


@pytest.fixture(scope="module")
def demo(pp: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Plays a demo in a home of its own: demo(seed) -> document."""

    def play(seed: int) -> dict[str, Any]:
        home = tmp_path_factory.mktemp("demo") / "home"
        done = pp("demo", "--json", "--cycles", "30", "--seed", seed, "--home", home)
        assert done.status == 0, done.stderr
        return done.json

    return play


@pytest.fixture(scope="module")
def played(demo: Any) -> dict[str, Any]:
    return demo(7)


def test_the_document_has_the_promised_fields(played: dict[str, Any]) -> None:
    assert {name: type(played[name]) for name in FIELDS} == FIELDS
    assert set(played["verdicts"]) == {"approved", "reduced", "denied"}
    assert played["record"]["verified"] is True
    assert played["record"]["size"] > 500
    for plugin in played["plugins"]:
        assert plugin.keys() >= {"id", "version", "digest", "level", "pid", "calls"}
        assert (plugin["level"], len(plugin["digest"])) == ("L3", 64)
        assert plugin["calls"] >= (2 if ".output-" in plugin["id"] else 30), (
            "an output is told many events in a call"
        )


def test_it_trades(played: dict[str, Any]) -> None:
    assert played["orders"] > 20
    assert played["fills"] >= played["orders"] - played["verdicts"]["denied"]
    assert played["equity_end"] != played["equity_start"]


def test_the_books_balance(played: dict[str, Any]) -> None:
    spent = played["cash"] + played["reserved"] + played["positions_cost"] + played["fees"]
    assert spent == played["equity_start"] + played["realised"]


def test_one_seed_gives_the_same_actions_and_another_gives_others(demo: Any, played: dict[str, Any]) -> None:
    again, other = demo(7), demo(8)
    assert again["actions_digest"] == played["actions_digest"]
    assert again["run"] != played["run"]
    assert other["actions_digest"] != played["actions_digest"]


def test_why_leads_from_a_fill_back_to_the_snapshot_the_digest_and_the_grant(
    pp: Any, played: dict[str, Any]
) -> None:
    told = pp("audit", "why", played["last_order"], "--json", "--home", played["home"])
    assert told.status == 0, told.stderr
    why = told.json
    events = [entry["event"] for entry in why["chain"]]
    assert events[-7:] == [
        "order.intent", "verdict", "decision", "plugin.call", "observation", "snapshot", "plugin.call",
    ]  # fmt: skip
    digests = {plugin["digest"] for plugin in played["plugins"]}
    starts = {entry["subject"]["id"]: entry["subject"] for entry in why["plugins"]}
    assert set(starts) == {"dev.probablyprofit.source-sample", "dev.probablyprofit.agent-value"}
    for start in starts.values():
        assert start["digest"] in digests
        grant = Path(played["home"]) / "grants" / f"{start['id']}.json"
        assert start["grant"] == sha256(grant.read_bytes()).hexdigest()


def test_why_says_in_words_what_was_traded_and_what_for(pp: Any, played: dict[str, Any]) -> None:
    told = pp("audit", "why", played["last_order"], "--home", played["home"])
    assert told.status == 0, told.stderr
    order, *traded, because = told.stdout.partition("├ why")[0].splitlines()
    assert order == f"order {played['last_order']}"
    assert traded
    assert all(
        line.startswith("dev.probablyprofit.agent-value: ") and " of sample-7-" in line for line in traded
    )
    assert because.startswith("because: ")


def test_a_person_sees_the_same(pp: Any, tmp_path: Path) -> None:
    done = pp("demo", "--cycles", "15", "--home", tmp_path / "home")
    assert done.status == 0, done.stderr
    for words in (
        "record verified",
        "agent-value",
        "L3",
        "approved",
        "equity at end",
        "pp audit why",
        "pp plugin list",
    ):
        assert words in done.stdout


def test_unknown_order_is_one_line_with_a_hint(pp: Any, played: dict[str, Any]) -> None:
    told = pp("audit", "why", "no-such-order", "--home", played["home"])
    assert (told.status, told.stdout) == (1, "")
    assert told.stderr.startswith("pp: error: ")
    assert "pp: hint: " in told.stderr
