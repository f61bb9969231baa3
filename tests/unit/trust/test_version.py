from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.trust.version import RANGE, SEMVER, admits, precedence

# Semantic Versioning 2.0.0, rule 11, and its neighbours, lowest first.
ASCENDING = ["0.0.1", "0.1.0-alpha", "0.1.0", "0.10.0", "1.0.0-1", "1.0.0-2", "1.0.0-11", "1.0.0-alpha", "1.0.0-alpha.1",
             "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0",
             "1.10.0", "2.0.0"]  # fmt: skip


def test_precedence_is_semver():
    assert all(re.match(SEMVER, version) for version in ASCENDING)
    assert sorted(set(ASCENDING), key=precedence) == ASCENDING
    assert len({precedence(version) for version in ASCENDING}) == len(ASCENDING)


@pytest.mark.parametrize("text", ["1", "1.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0+b", "v1.0.0", "",
                                  "1.0.0\n", "1.0.0-" + "a" * 60, "9999999999.0.0", "1.0.0-é"])  # fmt: skip
def test_other_spellings_are_no_versions(text):
    assert not re.match(SEMVER, text)


@pytest.mark.parametrize(
    ("wanted", "version", "holds"),
    [
        (">=1", (1, 0, 0), True),
        (">=1,<2", (1, 9, 9), True),
        (">=1,<2", (2, 0, 0), False),
        (">=1, <2", (0, 9, 0), False),
        (">=3.11", (3, 11, 0), True),
        (">=3.11", (3, 9, 20), False),
        ("==3.12", (3, 12, 7), True),
        ("==3.12.1", (3, 12, 7), False),
        ("==3.12", (3, 13, 0), False),
        ("<3.11.5", (3, 11, 4), True),
    ],
)
def test_ranges(wanted, version, holds):
    assert re.match(RANGE, wanted)
    assert admits(wanted, version) is holds


@pytest.mark.parametrize(
    "text", ["", "1", "~=1", "!=1", ">1", "<=2", ">=1,", ">=1 ,<2", ">=01", ">=1.*", ">=1;x", "== 1", ">=1\n"]
)
def test_other_ranges_are_refused(text):
    assert not re.match(RANGE, text)


numbers = st.tuples(*[st.integers(0, 30)] * 3)


@given(numbers, numbers)
def test_a_bound_splits_all_versions(bound, version):
    text = ".".join(map(str, bound))
    assert admits(f">={text}", version) == (version >= bound) != admits(f"<{text}", version)
    assert admits(f"=={text}", version) == (version == bound)
