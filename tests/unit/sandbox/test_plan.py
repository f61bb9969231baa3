from dataclasses import replace
from pathlib import Path

import pytest
from pp_host.sandbox.plan import RoomFile, SandboxPlan, ZygotePlan


def test_survives_the_way_to_the_zygote(plan):
    assert SandboxPlan.decode(plan.encode()) == plan
    assert ZygotePlan.decode(plan.zygote.encode()) == plan.zygote
    richer = replace(plan, packages=(Path("/a/ü"), Path("/b/c")), preload=("ü", "c"))
    richer = replace(richer, room=(RoomFile(Path("/a/ü"), "/program"), RoomFile(Path("/b"), "/lib/b")))
    assert SandboxPlan.decode(richer.encode()) == richer
    assert ZygotePlan.decode(richer.zygote.encode()) == richer.zygote


def test_two_packages_may_not_hide_each_other(plan):
    with pytest.raises(ValueError, match="two packages share one name inside"):
        replace(plan, packages=(Path("/a/x"), Path("/b/x")))
    assert replace(plan, packages=(Path("/a/x"), Path("/b/y")))


@pytest.mark.parametrize(("tmp_mb", "file_size_mb"), [(0, 1), (1, 1), (8, 8)])
def test_one_file_may_fill_the_scratch_space(tmp_mb, file_size_mb):
    plan = SandboxPlan.within_limits(
        "L3", packages=(), preload=(), entry="a:b", memory_mb=64, tmp_mb=tmp_mb, hash_seed=0
    )
    assert (plan.tmp_mb, plan.file_size_mb) == (tmp_mb, file_size_mb)
