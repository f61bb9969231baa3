"""A byte fuzzer over everything that reads a stranger's bytes: some thousand rounds here, ten times that in soak.

Reproduce a failure with the seed and round it prints: `Mutator(SEED, corpus)`, the ROUND-th input.
"""

from __future__ import annotations

import time

import psutil
import pytest

from tests.fuzz.mutator import Mutator
from tests.fuzz.targets import TARGETS

MIB = 1024 * 1024
MOST_SECONDS = 2.0  # of processor time, for one input
GROWTH_MB = 96  # of the process, over all rounds: caches that fill are bounded, what leaks is not
SEEDS = (1, 2)
SOAK = 10


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", TARGETS)
def test_bytes_are_taken_in_their_one_spelling_or_refused(name: str, seed: int) -> None:
    fuzz(name, seed, TARGETS[name].rounds)


@pytest.mark.soak
@pytest.mark.parametrize("name", TARGETS)
def test_many_more_are(name: str) -> None:
    fuzz(name, 1000, SOAK * TARGETS[name].rounds)


def fuzz(name: str, seed: int, rounds: int) -> None:
    target = TARGETS[name]
    mutator = Mutator(seed, target.corpus())
    held = psutil.Process().memory_info().rss
    for example in target.corpus():
        target.check(example, mutator.random)
    for number in range(rounds):
        data = mutator.next()
        begun = time.process_time()
        try:
            target.check(data, mutator.random)
            assert time.process_time() - begun < MOST_SECONDS
        except BaseException as error:
            error.add_note(f"target {name!r}, seed {seed}, round {number}: {data[:2000].hex()}")
            raise
    assert psutil.Process().memory_info().rss - held < GROWTH_MB * MIB
