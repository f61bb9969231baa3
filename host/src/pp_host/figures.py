"""The figures of verdicts and grants as people read them: dollars, shares, seconds, dates.

Laws: pure and exact; nothing is rounded away, and no float takes part. Programs find the integers in the fields of the
entries: nobody reads these words back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pp_host.model import MICRO

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def dollars(micros: int) -> str:
    """Micro-USD: 50_000_000 -> '$ 50.00', -840 -> '-$ 0.00084'."""
    return f"{'-' if micros < 0 else ''}$ {decimal(abs(micros))}"


def shares(micros: int) -> str:
    """Micro-shares: 12_340_000 -> '12.34 shares'."""
    return f"{decimal(micros)} shares"


def seconds(micros: int) -> str:
    """A span of microseconds: 7_204_000_000 -> '7,204 s', 500_000 -> '0.5 s'."""
    return f"{decimal(micros, 0)} s"


def moment(micros: int) -> str:
    """Microseconds since 1970 -> '2026-02-28 00:00:00 UTC', with a fraction only where there is one."""
    at = EPOCH + timedelta(microseconds=micros)
    part = decimal(at.microsecond, 0)[1:]
    return f"{at:%Y-%m-%d %H:%M:%S}{part} UTC"


def decimal(millionths: int, least: int = 2) -> str:
    """550_000 -> '0.55'; as many decimals as it has, and no fewer than `least`."""
    whole, part = divmod(abs(millionths), MICRO)
    digits = f"{part:06d}".rstrip("0").ljust(least, "0")
    return f"{'-' if millionths < 0 else ''}{whole:,}{'.' if digits else ''}{digits}"
