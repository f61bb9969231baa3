"""Prints events, one line each. The host reads this process's output, bounds it, escapes it and shows it."""

from __future__ import annotations

from datetime import UTC, datetime

from pp_sdk import MICRO, Event, hookimpl


class Console:
    """Fills and settlements of what was held in words; every other event as the host put it."""

    @hookimpl
    def notify(self, event: Event) -> None:
        if event.kind == "settlement" and not event.fields.get("payout") and not event.fields.get("realised"):
            return  # a market in which nothing was held
        when = datetime.fromtimestamp(event.at / MICRO, UTC)
        print(f"{when:%Y-%m-%d %H:%M} {event.kind:<10} {_words(event)}", flush=True)  # noqa: T201  # its whole purpose


def _words(event: Event) -> str:
    fields = event.fields
    if event.kind == "fill" and "shares" in fields:
        return (
            f"{fields['side']} {_units(fields['shares'])} {fields['outcome']} of {fields['market']} "
            f"at {_units(fields['price'])}, fee {_units(fields['fee'])}"
        )
    if event.kind == "settlement" and "payout" in fields:
        paid, received = _units(fields["yes_payout"]), _units(fields["payout"])
        return f"{fields['market']} paid {paid} per yes share; received {received}"
    return event.text


def _units(micros: int | str) -> str:
    """1_234_500 -> '1.2345'."""
    return f"{int(micros) / MICRO:.4f}".rstrip("0").rstrip(".")


plugin = Console()
