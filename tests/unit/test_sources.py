"""Where a setting comes from, whatever way the file spells it."""

from __future__ import annotations

import pytest
from pp_host.config import parse
from pp_host.config.sources import Source, Sources

TEXT = """\

[risk]
max_market_usd = 50 # here
[plugins."org.example.x"]
budget = { order_usd = 1, day_usd = 2, exposure_usd = 2 }

[plugins."org.example.y".budget]
order_usd = 0
"""


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (("risk", "max_market_usd"), Source("pp.toml", 3)),
        (("risk", "max_order_usd"), Source("default")),
        (("sizing", "method"), Source("default")),
        (("plugins", "org.example.x", "budget", "day_usd"), Source("pp.toml", 5)),
        (("plugins", "org.example.x", "budget", "orders_per_minute"), Source("default")),
        (("plugins", "org.example.y", "budget", "order_usd"), Source("pp.toml", 8)),
        (("plugins", "org.example.z", "budget", "order_usd"), Source("default")),
        (("paper", "fee_rate"), Source("environment")),
        (("host", "cycle_seconds"), Source("environment")),
        (("deadlines", "decide_seconds"), Source("default")),
    ],
)
def test_a_source_is_named(path, source):
    environ = {"PP__PAPER__FEE_RATE": "0.1", "PP__host__cycle_seconds": "5", "PP_HOME": "/x"}
    parse(TEXT, environ)
    assert Sources(TEXT, environ).of(*path) == source
