"""For every test: a slow machine makes hypothesis slow, and that says nothing about the code."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("pp", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("pp")
