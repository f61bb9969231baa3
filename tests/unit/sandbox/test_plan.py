from dataclasses import replace
from pathlib import Path

import pytest
from pp_host.sandbox.plan import decode


def test_survives_the_way_to_the_launcher(plan):
    assert decode(plan.encode()) == plan
    richer = replace(plan, packages=(Path("/a/ü"), Path("/b/c")), preload=("ü", "c"))
    assert decode(richer.encode()) == richer


def test_two_packages_may_not_hide_each_other(plan):
    with pytest.raises(ValueError, match="two packages share one name inside"):
        replace(plan, packages=(Path("/a/x"), Path("/b/x")))
    assert replace(plan, packages=(Path("/a/x"), Path("/b/y")))
