"""Runs launch() where one system call of the host's own is missing, as in containers: one forked process per case.

stdin: JSON {plan, cases: {name: [call, mask, first argument, errno]}}; stdout: JSON {name: what came of it}.
"""

import asyncio
import json
import os
import sys

from pp_host.errors import WallMissing
from pp_host.sandbox import bpf, policy, process, seccomp, syscalls
from pp_host.sandbox.launch import launch
from pp_host.sandbox.plan import SandboxPlan


def withhold(call, mask, value, number):
    """Allow everything but `call` where `mask` of its first argument equals `value`."""
    refusal, allowed = bpf.verdict(policy.refuse(number)), bpf.verdict(policy.ALLOW)
    refusal = bpf.with_argument(0, 0, mask, bpf.if_equal(value, refusal, allowed))
    search = bpf.with_word(bpf.NUMBER_OFFSET, bpf.if_equal(syscalls.native().numbers[call], refusal, allowed))
    process.forbid_gaining_privileges()
    seccomp.load(bpf.assemble(search))


def open_descriptors():
    return sorted(os.listdir("/proc/self/fd"))


def outcome(plan, case):
    before = open_descriptors()
    if case:
        withhold(*case)
    try:
        asyncio.run(launch(plan, timeout_seconds=20))
    except WallMissing as refusal:
        found = {"wall": refusal.wall, "hint": refusal.hint, "why": refusal.why}
    else:
        return {"wall": None}
    try:
        os.waitpid(-1, os.WNOHANG)
        found["children"] = "left"
    except ChildProcessError:
        found["children"] = "none"
    return found | {"descriptors": "same" if open_descriptors() == before else "more"}


def main():
    request = json.load(sys.stdin)
    plan, results = SandboxPlan.decode(json.dumps(request["plan"]).encode()), {}
    for name, case in request["cases"].items():
        here, there = os.pipe()
        if os.fork() == 0:
            os.write(there, json.dumps(outcome(plan, case)).encode())
            os._exit(0)
        os.close(there)
        with os.fdopen(here) as answer:
            results[name] = json.load(answer)
        os.wait()
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
