"""Runs one attack after the other and answers each with what came of it.

Inside: the plan's entry, one JSON line per request. Outside: `serve_outside`, where every attack gets a process of its
own, and namespaces of its own where the table says so, so that nothing it does outlives it.
"""

import ctypes
import errno
import importlib
import json
import os
import resource
import signal
import socket
import sys

from attacks.kernel import libc

NEW_MOUNT, NEW_CGROUP, NEW_UTS, NEW_IPC = 0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000
NEW_USER, NEW_PID, NEW_NET = 0x1000_0000, 0x2000_0000, 0x4000_0000
EVERYTHING = NEW_MOUNT | NEW_CGROUP | NEW_UTS | NEW_IPC | NEW_USER | NEW_PID | NEW_NET
SECONDS = 30
MS_PRIVATE = 0x4_4000  # MS_REC too


def attempt(group, name, arguments):
    """One attack's answer: {"value": ...}, {"errno": name} or {"error": class}."""
    try:
        return {"value": getattr(importlib.import_module(f"attacks.{group}"), name)(*arguments)}
    except socket.gaierror as error:  # its numbers are not errnos
        return {"error": "gaierror", "text": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever stops an attack is its answer
        number = getattr(error, "errno", None)
        if isinstance(error, OSError) and number is not None:
            return {"errno": errno.errorcode.get(number, str(number))}
        return {"error": type(error).__name__, "text": str(error)[:200]}


def encode(answer):
    return json.dumps(answer, default=str).encode() + b"\n"


def main(rpc_fd, selfcheck):
    rpc = socket.socket(fileno=rpc_fd)
    for line in rpc.makefile("r"):
        group, name, arguments = json.loads(line)
        rpc.sendall(encode(selfcheck if name == "selfcheck" else attempt(group, name, arguments)))


def serve_outside():
    """Requests on stdin: [group, name, arguments, name of what makes further arguments, whether namespaces are new]."""
    for line in sys.stdin:
        sys.stdout.buffer.write(encode(_sacrificed(*json.loads(line))))
        sys.stdout.buffer.flush()


def _sacrificed(group, name, arguments, made_by, fresh):
    here, there = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(here)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(SECONDS)
        if fresh:
            _leave_everything()
        made = attempt(group, made_by, arguments)["value"] if made_by else ()
        answer = attempt(group, name, (*arguments, *made))
        os.write(there, encode(answer))
        os._exit(0)
    os.close(there)
    with os.fdopen(here) as answers:
        answer = answers.read()
    _, status = os.waitpid(pid, 0)
    if answer:
        return json.loads(answer)
    code = os.waitstatus_to_exitcode(status)
    return {"signal": signal.Signals(-code).name} if code < 0 else {"status": code}


def _leave_everything():
    """Go on as pid 1 of namespaces made for this attack; the parent stays to pass on how it ended."""
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(EVERYTHING):
        os._exit(ctypes.get_errno())
    for name, text in ("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1"):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    if libc.mount(None, b"/", None, MS_PRIVATE, None):
        os._exit(ctypes.get_errno())
    pid = os.fork()
    if pid:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code < 0:
            signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
            os.kill(os.getpid(), -code)
        os._exit(code)
    if os.getpid() != 1:
        os._exit(errno.EPERM)
