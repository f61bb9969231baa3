"""One row of an attack table, and how what came of it is judged.

A row is tried twice. Outside, on a stage made to be harmed, the attack must work: what it returns, and what of the
stage it changes, are columns. Behind the walls, on a stage that must stay whole, it must meet exactly what the table
says. Where there is no safe control, the row says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Answer = Mapping[str, Any]


class Anything:
    """Equal to whatever came back."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "anything"


@dataclass(frozen=True, eq=False)
class Holding:
    """Equal to a value whose text has `text` in it."""

    text: str

    def __eq__(self, other: object) -> bool:
        return self.text in str(other)

    __hash__ = None  # type: ignore[assignment]


def refused(number: str) -> Answer:
    """It came back with this errno, and the process lives."""
    return {"errno": number}


def raises(error: str) -> Answer:
    """Python itself had to give up: the error's class."""
    return {"error": error}


def gets(value: object) -> Answer:
    return {"value": value}


def ends(signal: str) -> Answer:
    """The process was ended by this signal."""
    return {"signal": signal}


def fatal(call: str) -> Answer:
    """The process was ended for this call before it happened, and the record says so."""
    return {"violation": f"made a system call that no plugin may make: {call}"}


WORKS = gets(Anything())
LEAKS: Answer = {"leak": True}  # as outside, told in SECURITY.md: what a level does not keep back
ABSENT = ("ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT", "ENODEV")  # a kernel built without it


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """How the same attack is run outside."""

    answer: Answer = field(default_factory=lambda: WORKS)
    changes: str = ""  # what of the stage is no longer as it was
    arguments: tuple[Any, ...] | None = None  # where those for inside mean nothing outside
    made_by: str = ""  # the attacks' function that makes further arguments, in the same process
    fresh: bool = False  # in namespaces made for it
    root_only: str = ""  # why the kernel keeps it from an ordinary user anyway
    none: str = ""  # why there is no safe one


@dataclass(frozen=True, slots=True)
class Case:
    """`attack` is a function of the group's module and its arguments; "{secret}" is the stage's."""

    name: str
    attack: tuple[Any, ...]
    inside: Answer
    at_l2: Answer | None = None  # where that level differs from L3
    control: Control = Control()
    plan: Mapping[str, int] = field(default_factory=dict)  # what differs from the usual plan
    alone: bool = False  # in a process that no other attack was tried in
    at_l1: Answer | None = None  # where that level differs from L2

    def expected(self, level: str) -> Answer:
        answer = self._told(level)
        if answer is LEAKS:
            return self.control.answer
        # the kernel ends it by itself: a host that is confined cannot be told of calls
        return fatal("SIGSYS") if level != "L3" and "violation" in answer else answer

    def leaks(self, level: str) -> bool:
        return self._told(level) is LEAKS

    def _told(self, level: str) -> Answer:
        at_l2 = self.inside if self.at_l2 is None else self.at_l2
        at_l1 = at_l2 if self.at_l1 is None else self.at_l1
        return {"L3": self.inside, "L2": at_l2, "L1": at_l1}[level]


def soft(
    name: str, attack: tuple[Any, ...], inside: str, at_l2: str = "", at_l1: str = "", **control: Any
) -> Case:
    """The commonest row: an errno inside."""
    below = [refused(number) if number else None for number in (at_l2, at_l1)]
    return Case(name, attack, refused(inside), below[0], Control(**control), at_l1=below[1])


def killed(name: str, attack: tuple[Any, ...], call: str, **control: Any) -> Case:
    """A call that no plugin needs."""
    return Case(name, attack, fatal(call), None, Control(**control))


class Verdict(StrEnum):
    BLOCKED = "blocked"
    UNCONTROLLED = "uncontrolled"  # blocked, but nothing shows that it would have worked
    LEAK = "leak"  # came through, and is documented
    ESCAPED = "escaped"
    OTHERWISE = "otherwise"  # stopped, but not by what the table says
    INVALID = "invalid"  # the control did not work, so being stopped proves nothing


def judge(case: Case, level: str, inside: Answer, harm: Mapping[str, Any], outside: Answer | None) -> Verdict:
    """`harm`: what of the canaries changed; `outside`: None where no control was run."""
    if harm:
        return Verdict.ESCAPED
    if not matches(case.expected(level), inside):
        return Verdict.ESCAPED if "value" in inside else Verdict.OTHERWISE
    if case.leaks(level):
        return Verdict.LEAK
    if outside is not None and matches(case.control.answer, outside):
        return Verdict.BLOCKED
    return Verdict.UNCONTROLLED if outside is None or outside.get("errno") in ABSENT else Verdict.INVALID


def matches(expected: Answer, found: Answer) -> bool:
    """A message beside an error's class is for people."""
    return all(name in found and value == found[name] for name, value in expected.items()) and (
        set(found) - {"text"} <= set(expected)
    )
