"""Believes that the book underrates favourites: buys what is quoted from 70 to 90 cents, claiming a little more."""

from __future__ import annotations

from pp_sdk import MICRO, NO, OPEN, YES, Decision, Observation, hookimpl

CENT = MICRO // 100


class MyAgent:
    @hookimpl
    def configure(self, config):
        self.edge = config.get("edge_cents", 3) * CENT

    @hookimpl
    def decide(self, observation: Observation) -> list[Decision]:
        wishes = []
        for market in observation.markets:
            for outcome, ask in ((YES, market.yes_ask), (NO, market.no_ask)):
                if market.status == OPEN and ask is not None and 70 * CENT <= ask <= 90 * CENT:
                    claim = (ask + self.edge) / MICRO
                    wishes.append(
                        Decision(
                            market=market.id, outcome=outcome, side="buy", probability=claim, limit_price=ask
                        )
                    )
        return wishes


plugin = MyAgent()
