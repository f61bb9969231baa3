"""What is installed is shown whatever has become of settings and packages."""

from __future__ import annotations

import pytest
from pp_host.app.founding import found_home
from pp_host.app.inventory import installed


@pytest.fixture
def home(tmp_path):
    return found_home(tmp_path / "home")


def states(home):
    return {one.grant.id.rpartition(".")[2]: (one.kind, one.state) for one in installed(home)}


def test_kind_and_state_are_those_of_package_and_settings(home):
    found = states(home)
    assert found["agent-value"] == ("agent", "enabled")
    assert found["strategy-words"] == ("strategy", "resting")
    section = '[plugins."dev.probablyprofit.agent-value"]'
    home.config_file.write_text(home.config_file.read_text().replace(section, '[plugins."org.example.x"]'))
    assert states(home) == {**found, "agent-value": ("agent", "unset")}


def test_what_is_not_known_hides_no_row(home):
    found = states(home)
    value = next(one.grant for one in installed(home) if one.grant.id.endswith(".agent-value"))
    package = next(path for path in home.store.iterdir() if path.name == f"{value.digest}.ppz")
    package.chmod(0o600)
    package.write_bytes(b"damaged")
    assert states(home) == {**found, "agent-value": ("unknown", "enabled")}
    home.config_file.write_text("[")
    assert {state for _, state in states(home).values()} == {"unknown"}
