"""What a run's strategy said, in words: which text its agents were given, and what it let them buy.

Laws: an entry that lacks what it should hold has no words here. Texts of strangers are bounded and escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pp_host.cli.output import brief

NAME = 128  # characters of a name


def selected(told: Mapping[str, Any]) -> str:
    """The subject of an entry `selection` as a sentence."""
    markets = told.get("markets")
    if not isinstance(markets, int):
        return ""
    many = "no market" if markets == 0 else "1 market" if markets == 1 else f"{markets:,} markets"
    if told.get("stale"):
        stands = (
            f"its last selection stands and lets {many} be bought" if markets else "nothing may be bought"
        )
        return f"The strategy gave no good answer: {stands}"
    unchanged = " (the list is unchanged)" if markets and not told.get("ids") else ""
    return f"The strategy lets {many} be bought{unchanged}"


def fields(event: str, subject: Mapping[str, Any]) -> dict[str, Any]:
    """What of an entry is to be shown beside its sentence: ids that stand in an earlier entry are not none."""
    repeated = event == "selection" and not subject.get("ids")
    return {name: value for name, value in subject.items() if not (repeated and name == "ids")}


def briefed(plugin: str, name: str, digest: str) -> str:
    """Whose brief a run had, with all of its digest."""
    if not name:
        return f"{brief(plugin, NAME)}, without a brief"
    return f"{brief(plugin, NAME)}, brief {brief(name, NAME)}, sha256:{brief(digest, NAME)}"
