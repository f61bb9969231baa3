"""A plugin's process that is hostile from its first byte on: behind the walls it is the entry itself.

`script.AT` says at which moment it stops being like anybody else, `script.DATA` what it then says, `script.DOING` what
it then does.
"""

from __future__ import annotations

import array
import contextlib
import os
import signal
import socket
import time

import script
from foreign import EVENT, REPLY, REQUEST, Wire, message

ANSWERS = {"load": {"hooks": ["decide"]}, "configure": {}, "decide": {"decisions": []}, "stop": {}}


def main(rpc_fd, selfcheck):
    wire = Wire(socket.socket(fileno=rpc_fd))
    hello = {"protocol": 1, "sdk": "hostile", "python": "none", "selfcheck": selfcheck, "ext": {}}
    if script.AT == "hello":
        act(wire, 0)
    else:
        wire.send(EVENT, 0, "hello", hello)
    while (frame := wire.receive()) is not None:
        kind, number, method, _ = frame
        if kind != REQUEST:
            continue
        for fd in wire.fds:
            os.close(fd)
        wire.fds.clear()
        if method == script.AT:
            act(wire, number)
        else:
            wire.send(REPLY, number, method, ANSWERS[method])
        if method == "configure" and script.AT == "idle":
            act(wire, 0)
        if method == "stop":
            return


def act(wire, number):
    if script.DATA:
        wire.sock.sendall(script.DATA)
    if script.DOING:
        globals()[script.DOING](wire, number)


def exits_well(wire, number):
    os._exit(0)


def exits_in_mid_frame(wire, number):
    wire.sock.sendall(message(REPLY, number, "decide", ANSWERS["decide"])[:9])
    os._exit(3)


def stops_itself(wire, number):
    with contextlib.suppress(OSError):
        os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(3600)


def spins(wire, number):
    while True:
        pass


def hoards(wire, number):
    hoard = []
    while True:
        hoard.append(bytearray(1 << 20))


def writes_without_end(wire, number):
    while True:
        os.write(1, b"x" * 65536)


def shouts_without_end(wire, number):
    while True:
        os.write(2, b"x\n" * 4096)


def logs_without_end(wire, number):
    line = message(EVENT, 0, "log.write", {"level": "info", "message": "x"}) * 500
    while True:
        wire.sock.sendall(line)


def asks_without_end(wire, number):
    while True:
        wire.ask("clock.now", {})


def asks_and_never_reads(wire, number):
    for asked in range(2, 1_000_000, 2):
        wire.sock.sendall(message(REQUEST, asked, "clock.now", {}))


def hangs_up(wire, number):
    wire.sock.close()
    time.sleep(3600)


def passes_descriptors(wire, number):
    """Its own pipes and socket, sixty times over: none of them is the host's to have."""
    rights = array.array("i", [1, 2, wire.sock.fileno()] * 20)
    line = message(EVENT, 0, "log.write", {"level": "info", "message": "take this"})
    wire.sock.sendmsg([line], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    wire.send(REPLY, number, "decide", ANSWERS["decide"])


def half_a_line(wire, number):
    os.write(1, b"no end of line follows")
    wire.send(REPLY, number, "decide", ANSWERS["decide"])
