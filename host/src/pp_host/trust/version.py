"""Versions of plugins (semver 2.0.0 without build metadata) and the ranges a manifest may ask for."""

from __future__ import annotations

import re

_NUMBER = r"(?:0|[1-9][0-9]{0,8})"
_PRE = r"(?:0|[1-9][0-9]{0,8}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
# No `+build`: two packages of one precedence could differ in bytes. 64 characters keep file names short.
SEMVER = rf"\A(?=.{{1,64}}\Z){_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PRE}(?:\.{_PRE})*)?\Z"

_CLAUSE = rf"(?:>=|<|==){_NUMBER}(?:\.{_NUMBER}){{0,2}}"
RANGE = rf"\A{_CLAUSE}(?:, ?{_CLAUSE}){{0,3}}\Z"


def precedence(version: str) -> tuple[object, ...]:
    """A key that sorts versions by semver's rule 11; `version` matches SEMVER."""
    release, _, pre = version.partition("-")
    numbers = tuple(map(int, release.split(".")))
    if not pre:
        return *numbers, 1
    # Numeric parts sort below words, a shorter list below its extension.
    parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split("."))
    return *numbers, 0, parts


def admits(wanted: str, version: tuple[int, int, int]) -> bool:
    """Whether `version` lies in `wanted`, such as '>=3.11,<4'; missing numbers count as 0."""
    return all(_holds(clause, version) for clause in re.split(", ?", wanted))


def _holds(clause: str, version: tuple[int, int, int]) -> bool:
    operator, numbers = re.fullmatch(r"(>=|<|==)(.*)", clause).groups()  # type: ignore[union-attr]  # matched RANGE
    bound = tuple(map(int, numbers.split(".")))
    padded = bound + (0,) * (3 - len(bound))
    if operator == "==":
        return version[: len(bound)] == bound  # ==3.12 means any 3.12.x
    return version >= padded if operator == ">=" else version < padded
