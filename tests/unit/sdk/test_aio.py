"""The host's driver against a plugin whose every byte the test decides."""

from __future__ import annotations

import array
import asyncio
import contextlib
import os
import socket

import pytest
from pp_sdk.memfd import seal
from pp_sdk.types import SnapshotRequest
from pp_sdk.wire.aio import CallTimeout, Channel, ChannelClosed, ChannelLimits, RemoteError
from pp_sdk.wire.connection import Connection, EventReceived, NotNow, RequestReceived
from pp_sdk.wire.frames import LITTLE_BYTES, REPLY, ProtocolError, encode
from pp_sdk.wire.messages import (
    METHODS,
    Cancel,
    ClockNow,
    Configure,
    Done,
    Failure,
    Hello,
    Load,
    Loaded,
    LogWrite,
    Now,
    Side,
    Snapshot,
    decode_body,
)

HELLO = Hello(protocol=1, sdk="", python="", selfcheck={}, ext={})
SNAPSHOT = SnapshotRequest(now=1)
TIMES = {"seconds": 5.0, "outer_seconds": 60.0}


class Plugin:
    """The other end: a connection and a socket, moved by hand."""

    def __init__(self, sock):
        sock.setblocking(False)
        self.sock = sock
        self.connection = Connection(Side.PLUGIN)
        self.inbox = []

    async def receive(self):
        while not self.inbox:
            data = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
            assert data
            self.inbox += self.connection.receive(data)
        return self.inbox.pop(0)

    def send(self, data):
        self.sock.sendall(data)

    async def answer(self, body):
        request = await self.receive()
        self.send(self.connection.reply(request.id, body))
        return request


class Rig:
    """A channel and its plugin, already running."""

    def __init__(self, timers, **limits):
        ours, theirs = socket.socketpair()
        self.theirs = theirs
        self.plugin = Plugin(theirs)
        self.requests, self.events = asyncio.Queue(), asyncio.Queue()
        self.timers = timers
        self.channel = Channel(
            ours,
            self.requests.put_nowait,
            self.events.put_nowait,
            limits=ChannelLimits(**limits),
            timers=timers,
        )

    async def start(self):
        self.plugin.send(self.plugin.connection.event("hello", HELLO))
        await self.events.get()
        with sealed(b"x") as fd:
            load = Load(archive_bytes=1, module="m", object="o", hooks=[])
            await asyncio.gather(
                self.channel.call("load", load, fds=(fd,), **TIMES), self.plugin.answer(Loaded(hooks=[]))
            )
        configure = Configure(config={}, seed=0, now=0)
        await asyncio.gather(self.channel.call("configure", configure, **TIMES), self.plugin.answer(Done()))

    def call(self):
        return asyncio.ensure_future(self.channel.call("snapshot", SNAPSHOT, **TIMES))

    async def ended(self):
        """The reason, once the channel is over."""
        return await self.channel.closed


async def turns():
    """Let the event loop read what has been sent."""
    for _ in range(3):
        await asyncio.sleep(0)


@contextlib.contextmanager
def sealed(block):
    fd = seal(block)
    try:
        yield fd
    finally:
        os.close(fd)


@pytest.fixture
def run(timers):
    """Runs `scenario(rig)` on a running channel and closes both ends."""

    def run(scenario, **limits):
        async def main():
            rig = Rig(timers, **limits)
            try:
                await rig.start()
                return await scenario(rig)
            finally:
                rig.channel.close()
                rig.theirs.close()

        return asyncio.run(asyncio.wait_for(main(), 20))

    return run


def test_short_frames_by_the_thousand_come_in_turns_with_others(run):
    line = LogWrite(level="info", message="")

    async def scenario(rig):
        said = [rig.plugin.connection.event("log.write", line) for _ in range(2000)]
        rig.plugin.send(b"".join(said))
        most = 0
        while (before := rig.events.qsize()) < len(said):
            await asyncio.sleep(0)
            most = max(most, rig.events.qsize() - before)
        return most, LITTLE_BYTES // len(said[0]) + 1

    most, allowed = run(scenario)
    assert 0 < most <= allowed


def test_a_call_brings_its_reply(run):
    async def scenario(rig):
        reply, request = await asyncio.gather(rig.call(), rig.plugin.answer(Snapshot(table=b"t")))
        assert reply == Snapshot(table=b"t")
        assert decode_body(request.body, SnapshotRequest) == SNAPSHOT

    run(scenario)


def test_calls_in_flight_are_answered_in_any_order(run):
    async def scenario(rig):
        calls = [rig.call() for _ in range(5)]
        requests = [await rig.plugin.receive() for _ in calls]
        for index in (3, 0, 4, 2, 1):
            reply = Snapshot(table=bytes([index]))
            rig.plugin.send(rig.plugin.connection.reply(requests[index].id, reply))
        assert [(await call).table for call in calls] == [b"\0", b"\1", b"\2", b"\3", b"\4"]

    run(scenario)


def test_an_error_answer_is_raised_and_the_channel_goes_on(run):
    async def scenario(rig):
        call = rig.call()
        request = await rig.plugin.receive()
        rig.plugin.send(rig.plugin.connection.fail(request.id, Failure(code="sorry", message="no")))
        with pytest.raises(RemoteError, match="sorry: no"):
            await call
        await asyncio.gather(rig.call(), rig.plugin.answer(Snapshot(table=b"")))

    run(scenario)


def test_more_calls_than_may_be_in_flight_are_refused(run):
    async def scenario(rig):
        calls = [rig.call() for _ in range(2)]
        for _ in calls:
            await rig.plugin.receive()
        with pytest.raises(NotNow, match="2 requests are unanswered"):
            await rig.call()
        assert not any(call.done() for call in calls)
        rig.channel.close()
        await asyncio.gather(*calls, return_exceptions=True)

    run(scenario, in_flight=2)


def test_a_plugin_with_more_requests_than_allowed_is_ended(run):
    async def scenario(rig):
        for _ in range(3):
            rig.plugin.send(rig.plugin.connection.request("clock.now", ClockNow())[1])
        reason = await rig.ended()
        assert str(reason) == "more than 2 requests unanswered"
        assert isinstance(reason.cause, ProtocolError)

    run(scenario, in_flight=2)


def test_a_call_without_answer_is_cancelled_at_its_deadline(run, timers):
    async def scenario(rig):
        call = rig.call()
        request = await rig.plugin.receive()
        timers.advance(5.1)
        with pytest.raises(CallTimeout, match="snapshot: no answer in time"):
            await call
        cancel = await rig.plugin.receive()
        assert isinstance(cancel, EventReceived)
        assert decode_body(cancel.body, Cancel) == Cancel(id=request.id)
        assert rig.channel.late == 1

    run(scenario)


def test_a_reply_that_crosses_the_cancel_is_dropped_and_the_next_call_works(run, timers):
    async def scenario(rig):
        call = rig.call()
        request = await rig.plugin.receive()
        timers.advance(5.1)
        rig.plugin.send(rig.plugin.connection.reply(request.id, Snapshot(table=b"late")))
        with pytest.raises(CallTimeout):
            await call
        await rig.plugin.receive()
        reply, _ = await asyncio.gather(rig.call(), rig.plugin.answer(Snapshot(table=b"next")))
        assert reply.table == b"next"
        assert rig.channel.late == 0

    run(scenario)


def test_a_caller_that_is_cancelled_cancels_its_request(run):
    async def scenario(rig):
        call = rig.call()
        request = await rig.plugin.receive()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        cancel = await rig.plugin.receive()
        assert decode_body(cancel.body, Cancel).id == request.id

    run(scenario)


def test_the_plugins_clock_stands_still_while_it_waits_on_the_host(run, timers):
    async def scenario(rig):
        call = rig.call()
        request = await rig.plugin.receive()
        timers.advance(4)
        number, data = rig.plugin.connection.request("clock.now", ClockNow())
        rig.plugin.send(data)
        asked = await rig.requests.get()
        timers.advance(40)
        assert not call.done()
        rig.channel.reply(asked.id, Now(now=7))
        assert decode_body((await rig.plugin.receive()).body, METHODS["clock.now"].reply) == Now(now=7)
        assert (asked.id, isinstance(asked, RequestReceived)) == (number, True)
        timers.advance(0.9)
        assert not call.done()
        rig.plugin.send(rig.plugin.connection.reply(request.id, Snapshot(table=b"")))
        assert await call == Snapshot(table=b"")

    run(scenario)


@pytest.mark.parametrize("refused", [False, True])
def test_once_answered_the_plugins_clock_runs_on(run, timers, refused):
    async def scenario(rig):
        call = rig.call()
        await rig.plugin.receive()
        rig.plugin.send(rig.plugin.connection.request("clock.now", ClockNow())[1])
        asked = await rig.requests.get()
        timers.advance(40)
        if refused:
            rig.channel.fail(asked.id, Failure(code="no", message=""))
        else:
            rig.channel.reply(asked.id, Now(now=7))
        timers.advance(5.1)
        with pytest.raises(CallTimeout):
            await call

    run(scenario)


def test_the_outer_deadline_never_stands_still(run, timers):
    async def scenario(rig):
        call = rig.call()
        await rig.plugin.receive()
        rig.plugin.send(rig.plugin.connection.request("clock.now", ClockNow())[1])
        await rig.requests.get()
        timers.advance(59)
        assert not call.done()
        timers.advance(1.1)
        with pytest.raises(CallTimeout):
            await call

    run(scenario)


def test_a_frame_that_trickles_in_is_cut_off(run, timers):
    async def scenario(rig):
        data = rig.plugin.connection.event("log.write", LogWrite(level="info", message="x" * 100))
        for byte in data[:10]:
            rig.plugin.send(bytes([byte]))
            await turns()
            timers.advance(0.4)
        assert not rig.channel.closed.done()
        timers.advance(1.1)
        assert str(await rig.ended()) == "a frame took longer than 5.0 s to arrive"

    run(scenario)


def test_each_frame_has_a_deadline_of_its_own(run, timers):
    async def scenario(rig):
        for _ in range(4):
            data = rig.plugin.connection.event("log.write", LogWrite(level="info", message="x" * 100))
            rig.plugin.send(data[:10])
            await turns()
            timers.advance(4)
            rig.plugin.send(data[10:])
            await rig.events.get()
        timers.advance(100)
        assert not rig.channel.closed.done()

    run(scenario)


def test_a_plugin_that_never_reads_is_ended_once_too_much_waits(run):
    async def scenario(rig):
        big = SnapshotRequest(now=1, held=("x" * 255,) * 3000)
        calls = [asyncio.ensure_future(rig.channel.call("snapshot", big, **TIMES)) for _ in range(10)]
        assert str(await rig.ended()) == "the plugin does not read what it is sent"
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(one, ChannelClosed) for one in outcomes)

    run(scenario, send_buffer_bytes=2_000_000)


def test_a_plugin_that_reads_slowly_gets_everything_in_order(run):
    async def scenario(rig):
        big = SnapshotRequest(now=1, held=("x" * 255,) * 3000)
        calls = [asyncio.ensure_future(rig.channel.call("snapshot", big, **TIMES)) for _ in range(5)]
        await asyncio.sleep(0)
        for _ in calls:
            await rig.plugin.answer(Snapshot(table=b""))
        assert await asyncio.gather(*calls) == [Snapshot(table=b"")] * 5

    run(scenario)


def test_descriptors_ride_with_a_frame_even_when_it_has_to_wait(run, timers):
    async def scenario(rig):
        ours, theirs = socket.socketpair()
        channel = Channel(ours, print, print, timers=timers)
        connection = Connection(Side.PLUGIN)
        theirs.sendall(connection.event("hello", HELLO))
        await turns()
        with contextlib.suppress(BlockingIOError):
            while True:
                ours.send(bytes(65536))  # fill the socket, so that the frame is queued
        with sealed(b"archive") as fd:
            load = Load(archive_bytes=7, module="m", object="o", hooks=[])
            call = asyncio.ensure_future(channel.call("load", load, fds=(fd,), **TIMES))
            await asyncio.sleep(0)
        received = await asyncio.to_thread(drain_until_fd, theirs)
        assert os.pread(received, 7, 0) == b"archive"
        os.close(received)
        channel.close()
        theirs.close()
        with pytest.raises(ChannelClosed):
            await call

    run(scenario)


def drain_until_fd(sock):
    """Read until a descriptor comes along."""
    while True:
        _, control, _, _ = sock.recvmsg(1 << 20, socket.CMSG_SPACE(16))
        for _, _, rights in control:
            return array.array("i", rights)[0]


def test_descriptors_from_a_plugin_are_dropped(run):
    async def scenario(rig):
        before = len(os.listdir("/proc/self/fd"))
        read, write = os.pipe()
        data = rig.plugin.connection.event("log.write", LogWrite(level="info", message="take this"))
        rights = array.array("i", [write] * 3)
        rig.plugin.sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        os.close(write)
        assert (await rig.events.get()).method == "log.write"
        assert os.read(read, 1) == b""  # every writing end is closed, the host's copies too
        os.close(read)
        assert len(os.listdir("/proc/self/fd")) == before

    run(scenario)


def test_the_end_of_the_stream_ends_every_call(run):
    async def scenario(rig):
        calls = [rig.call() for _ in range(3)]
        await rig.plugin.receive()
        rig.theirs.close()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(one) for one in outcomes] == [ChannelClosed] * 3
        with pytest.raises(ChannelClosed):
            await rig.call()
        rig.channel.reply(2, Now(now=1))  # a handler that finishes afterwards troubles nobody

    run(scenario)


@pytest.mark.parametrize(
    ("garbage", "complaint"),
    [
        (b"\xff\xff\xff\xff", "a frame of 4294967295 bytes"),
        (b"\0\0\0\0", "a frame of 0 bytes"),
        (encode(REPLY, 99, "snapshot", None), "an answer to 99, which is not open"),
        (encode(0, 2, "http.fetch", None), "'http.fetch' is nothing this peer may say"),
    ],
)
def test_a_violation_ends_the_channel_with_its_reason(run, garbage, complaint):
    async def scenario(rig):
        call = rig.call()
        await rig.plugin.receive()
        rig.plugin.send(garbage)
        reason = await rig.ended()
        assert complaint in str(reason)
        assert isinstance(reason.cause, ProtocolError)
        with pytest.raises(ChannelClosed, match="a"):
            await call

    run(scenario)


def test_a_reply_of_another_type_is_a_violation(run):
    async def scenario(rig):
        call = rig.call()
        request = await rig.plugin.receive()
        rig.plugin.send(rig.plugin.connection.reply(request.id, {"table": 5}))
        assert "body is not what the protocol says" in str(await rig.ended())
        with pytest.raises(ChannelClosed):
            await call

    run(scenario)


def test_a_callback_may_end_the_channel(run):
    async def scenario(rig):
        def refuse(event):
            raise ProtocolError("too much log")

        rig.channel._on_event = refuse
        rig.plugin.send(rig.plugin.connection.event("log.write", LogWrite(level="info", message="")) * 3)
        assert str(await rig.ended()) == "too much log"

    run(scenario)
