"""From a seccomp profile in Docker's format to the filter that a container runtime would load: a small compiler.

Only what our profiles use: a default, and rules that allow or refuse names, with conditions on arguments. Rules of one
name are alternatives; the first whose conditions all hold gives the verdict.
"""

from __future__ import annotations

import os

from pp_host.sandbox import bpf, policy, syscalls

from tests.deploy import calls

NUMBERS = {"x86_64": calls.X86_64, "aarch64": calls.AARCH64}
LOW = 0xFFFF_FFFF


def verdict(rule, action="action", number="errnoRet"):
    if rule[action] == "SCMP_ACT_ALLOW":
        return policy.ALLOW
    assert rule[action] == "SCMP_ACT_ERRNO", rule
    return policy.refuse(rule[number])


def conditions(rule):
    """Each as (argument, mask, value), all of 64 bits."""
    for wanted in rule.get("args", ()):
        match wanted["op"]:
            case "SCMP_CMP_EQ":
                yield wanted["index"], LOW << 32 | LOW, wanted["value"]
            case "SCMP_CMP_MASKED_EQ":
                yield wanted["index"], wanted["value"], wanted["valueTwo"]
            case op:
                raise ValueError(op)


def _tested(rule, then, otherwise):
    for argument, mask, value in conditions(rule):
        for half in (0, 1):
            wanted = bpf.if_equal(value >> 32 * half & LOW, then, otherwise)
            then = bpf.with_argument(argument, half, mask >> 32 * half & LOW, wanted)
    return then


def compiled(profile, machine=None):
    """The bytes of the filter for this machine, or the one named."""
    machine = machine or os.uname().machine
    default = bpf.verdict(verdict(profile, "defaultAction", "defaultErrnoRet"))
    leaves = {}
    for rule in reversed(profile["syscalls"]):
        for name in rule["names"]:
            if (number := NUMBERS[machine].get(name)) is not None:
                leaves[number] = _tested(rule, bpf.verdict(verdict(rule)), leaves.get(number, default))
    runs = []
    for number in range(max(leaves) + 2):
        code = leaves.get(number, default)
        if not runs or runs[-1][1] != code:
            runs.append((number, code))
    search = bpf.with_word(bpf.NUMBER_OFFSET, policy._search(runs))
    audit = {"x86_64": syscalls.X86_64, "aarch64": syscalls.AARCH64}[machine].audit
    return bpf.assemble(bpf.with_word(bpf.ARCH_OFFSET, bpf.if_equal(audit, search, bpf.verdict(policy.KILL))))
