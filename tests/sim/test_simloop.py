from __future__ import annotations

import anyio

from tests.sim.simloop import run


async def race(loop):
    order = []

    async def one(name: int) -> None:
        await anyio.sleep(loop.rng.choice([0, 1, 3600]))
        order.append((name, loop.time()))

    async with anyio.create_task_group() as group:
        for name in range(8):
            group.start_soon(one, name)
    return tuple(order)


def test_a_seed_gives_one_run_and_seeds_give_many():
    assert run(race, 7) == run(race, 7)
    assert len({run(race, seed) for seed in range(20)}) > 10


def test_an_hour_passes_at_once():
    async def wait(loop):
        await anyio.sleep(3600)
        return loop.time()

    assert run(wait, 1) == 3600
