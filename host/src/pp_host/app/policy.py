"""pp.toml's limits as the core's policy."""

from __future__ import annotations

from pp_host.config import Config
from pp_host.core.policy import Policy
from pp_host.model import SECOND


def policy_of(config: Config) -> Policy:
    """Units change here and nowhere else: seconds to microseconds, fractions of a dollar to micro-USD."""
    risk, sizing = config.risk, config.sizing
    return Policy(
        max_order=risk.max_order_micros,
        max_market=risk.max_market_micros,
        max_exposure=risk.max_exposure_micros,
        max_positions=risk.max_positions,
        max_daily_loss=risk.max_daily_loss_micros,
        max_drawdown_ppm=risk.max_drawdown_ppm,
        max_snapshot_age=round(risk.max_snapshot_age_seconds * SECOND),
        max_spread=risk.max_spread_ppm,
        min_price=risk.min_price_ppm,
        max_price=risk.max_price_ppm,
        sizing=sizing.method,
        kelly_fraction_ppm=sizing.fraction_ppm,
        fixed_amount=sizing.fixed_micros,
        fee_rate=config.paper.fee_rate_ppm,
    )
