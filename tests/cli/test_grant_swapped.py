"""A grant is the operator's recorded consent: another file in its place is noticed, however well made."""

from __future__ import annotations

import msgspec
import pytest
from pp_host.app.founding import AGENT_VALUE, found_home
from pp_host.cli.main import main
from pp_host.trust.grants import Grant


@pytest.fixture
def home(tmp_path):
    return found_home(tmp_path / "home")


def refused(home, capsys) -> str:
    status = main(["run", "--once", "--json", "--home", str(home.root)])
    told = capsys.readouterr()
    return told.err if (status, told.out) == (3, "") else ""


def test_a_grant_narrowed_by_hand_is_not_what_was_consented_to(home, capsys):
    path = home.grants / f"{AGENT_VALUE}.json"
    before = path.read_bytes()
    grant = msgspec.json.decode(before, type=Grant)
    limits = msgspec.structs.replace(grant.limits, memory_mb=128)
    path.write_bytes(msgspec.structs.replace(grant, limits=limits).encode())
    assert f"{AGENT_VALUE}: its grant is not the one that was recorded" in refused(home, capsys)
    assert main(["config", "check", "--home", str(home.root)]) == 3
    path.write_bytes(before)
    assert main(["config", "check", "--home", str(home.root)]) == 0
    assert main(["run", "--once", "--json", "--home", str(home.root)]) == 0
