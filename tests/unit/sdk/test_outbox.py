"""What does not fit into the socket waits its turn, and its descriptors with it."""

from __future__ import annotations

import array
import asyncio
import os
import socket

import pytest
from pp_sdk.memfd import seal
from pp_sdk.wire.frames import ProtocolError
from pp_sdk.wire.outbox import WAITING_BYTES, Outbox

BIG = 700_000


def drained(sock, length):
    """Everything up to `length` bytes, and the descriptors that came along."""
    data, fds = b"", []
    while len(data) < length:
        piece, control, _, _ = sock.recvmsg(65536, socket.CMSG_SPACE(64))
        data += piece
        for _, _, rights in control:
            fds += array.array("i", rights)
    return data, fds


def run(scenario, most_bytes=10 * BIG):
    async def main():
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        failures = []
        outbox = Outbox(asyncio.get_running_loop(), ours, most_bytes, failures.append)
        try:
            await scenario(outbox, theirs, failures)
        finally:
            outbox.close()
            ours.close()
            theirs.close()

    asyncio.run(main())


def open_fds():
    return set(os.listdir("/proc/self/fd"))


def test_everything_arrives_in_order_and_every_descriptor_once():
    async def scenario(outbox, theirs, failures):
        before = open_fds()
        blocks = [bytes([65 + n]) * BIG for n in range(4)]
        for n, block in enumerate(blocks):
            fd = seal(f"table {n}".encode())
            outbox.send(block, (fd,))
            os.close(fd)
        data, fds = await asyncio.to_thread(drained, theirs, 4 * BIG)
        assert data == b"".join(blocks)
        assert [os.pread(fd, 100, 0) for fd in fds] == [b"table 0", b"table 1", b"table 2", b"table 3"]
        for fd in fds:
            os.close(fd)
        assert open_fds() == before
        assert failures == []

    run(scenario)


def test_more_than_may_wait_fails():
    async def scenario(outbox, theirs, failures):
        for _ in range(4):
            outbox.send(bytes(BIG))
        assert [str(one) for one in failures] == ["the plugin does not read what it is sent"]
        assert isinstance(failures[0], ProtocolError)

    run(scenario, most_bytes=3 * BIG)


def test_many_small_frames_that_nobody_reads_count_with_what_they_cost():
    """30 bytes each: by their bytes alone 70,000 of them, and 30 MB, could wait before anybody noticed."""
    most = 2_000_000

    async def scenario(outbox, theirs, failures):
        sent = 0
        while not failures and sent < 20_000:
            outbox.send(bytes(30))
            sent += 1
        taken = len(theirs.recv(most)) // 30
        assert sent - taken <= most // WAITING_BYTES + 1
        assert [str(one) for one in failures] == ["the plugin does not read what it is sent"]

    run(scenario, most_bytes=most)


def test_what_was_taken_counts_no_more():
    """Many times what may wait at once, to a peer that reads now and then."""

    async def scenario(outbox, theirs, failures):
        theirs.setblocking(False)
        for _ in range(40):
            outbox.send(bytes(BIG))
            left = BIG
            while left:
                left -= len(await asyncio.get_running_loop().sock_recv(theirs, 65536))
        assert failures == []

    run(scenario, most_bytes=2 * BIG)


def test_a_peer_that_is_gone_fails_at_once_or_when_its_turn_comes():
    async def scenario(outbox, theirs, failures):
        outbox.send(bytes(BIG))
        theirs.close()
        while not failures:
            await asyncio.sleep(0)
        assert isinstance(failures[0], (BrokenPipeError, ConnectionResetError))
        outbox.close()
        outbox.send(b"x")
        assert isinstance(failures[-1], BrokenPipeError)

    run(scenario)


def test_closing_gives_waiting_descriptors_back():
    async def scenario(outbox, theirs, failures):
        outbox.send(bytes(BIG))
        before = open_fds()
        fd = seal(b"x")
        outbox.send(b"later", (fd,))
        os.close(fd)
        assert open_fds() != before
        outbox.close()
        assert open_fds() == before

    run(scenario)


@pytest.mark.parametrize("size", [1, 1000])
def test_what_fits_is_sent_at_once(size):
    async def scenario(outbox, theirs, failures):
        outbox.send(bytes(size))
        assert theirs.recv(10_000) == bytes(size)

    run(scenario)
