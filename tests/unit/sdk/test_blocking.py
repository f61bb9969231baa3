"""The plugin's driver against a host whose every byte the test decides."""

from __future__ import annotations

import os
import socket
import threading

import pytest
from pp_sdk.memfd import seal, unseal
from pp_sdk.types import SnapshotRequest
from pp_sdk.wire.blocking import Cancelled, Disconnected, Peer, Request
from pp_sdk.wire.connection import Connection, EventReceived, RemoteError
from pp_sdk.wire.frames import ProtocolError
from pp_sdk.wire.messages import (
    ClockNow,
    Decide,
    Done,
    Failure,
    Hello,
    Load,
    LogWrite,
    Now,
    Side,
    Snapshot,
    State,
    Stop,
)

HELLO = Hello(protocol=1, sdk="", python="", selfcheck={}, ext={})
SNAPSHOT = SnapshotRequest(now=1)
DECIDE = Decide(now=1, table_bytes=5, account=None)


@pytest.fixture
def ends():
    """A plugin's peer, and the host's connection with its socket; both already running."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    ours.settimeout(10)
    peer, host = Peer(ours, Side.PLUGIN), Connection(Side.HOST)
    peer._connection.enter(State.RUNNING)
    host.enter(State.RUNNING)
    yield peer, host, theirs
    ours.close()
    theirs.close()


def test_requests_come_one_by_one_and_are_answered(ends):
    peer, host, sock = ends
    numbers = []
    for _ in range(2):
        number, data = host.request("snapshot", SNAPSHOT)
        numbers.append(number)
        sock.sendall(data)
    for number in numbers:
        request = peer.receive()
        assert request == Request(number, "snapshot", SNAPSHOT, None)
        peer.reply(number, Snapshot(table=b"t"))
        (reply,) = host.receive(sock.recv(1000))
        assert reply.id == number


def test_the_host_hanging_up_is_none(ends):
    peer, _, sock = ends
    sock.close()
    assert peer.receive() is None


def test_a_call_waits_for_its_reply_and_keeps_what_comes_before(ends):
    peer, host, sock = ends
    number, request = host.request("snapshot", SNAPSHOT)
    host.receive(encoded_request(host))
    sock.sendall(request + host.reply(2, Now(now=9)))
    assert peer.call("clock.now", ClockNow()) == Now(now=9)
    assert peer.receive().id == number


def encoded_request(host):
    """What a plugin's first question looks like to `host`."""
    plugin = Connection(Side.PLUGIN)
    plugin.enter(State.RUNNING)
    return plugin.request("clock.now", ClockNow())[1]


def test_an_error_answer_is_raised(ends):
    peer, host, sock = ends
    host.receive(encoded_request(host))
    sock.sendall(host.fail(2, Failure(code="no", message="never")))
    with pytest.raises(RemoteError, match="no: never"):
        peer.call("clock.now", ClockNow())


def test_a_call_whose_host_hangs_up_is_disconnected(ends):
    peer, _, sock = ends
    sock.shutdown(socket.SHUT_WR)
    with pytest.raises(Disconnected):
        peer.call("clock.now", ClockNow())


def test_a_request_cancelled_before_it_began_is_refused_and_its_descriptor_closed(ends):
    peer, host, sock = ends
    fd = seal(b"table")
    number, data = host.request("decide", DECIDE)
    socket.send_fds(sock, [data], [fd])
    os.close(fd)
    following, data = host.request("snapshot", SNAPSHOT)
    sock.sendall(host.cancel(number) + data)
    before = len(os.listdir("/proc/self/fd"))
    peer._pump()  # a receive ends where a descriptor was attached
    peer._pump()
    assert peer.receive().id == following
    assert host.receive(sock.recv(1000)) == []
    assert host.late == 0
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_cancel_reaches_plugin_code_that_waits_on_the_host(ends):
    peer, host, sock = ends
    number, data = host.request("snapshot", SNAPSHOT)
    sock.sendall(data)
    assert peer.receive().id == number
    sock.sendall(host.cancel(number))
    with pytest.raises(Cancelled, match=f"cancelled request {number}"):
        peer.call("clock.now", ClockNow())
    peer.fail(number, Failure(code="cancelled", message=""))
    assert peer._unwanted == set()
    assert host.receive(sock.recv(1000))[0].method == "clock.now"
    assert host.late == 0


def test_a_cancel_that_crossed_the_answer_changes_nothing(ends):
    peer, host, sock = ends
    number, data = host.request("snapshot", SNAPSHOT)
    sock.sendall(data)
    peer.reply(peer.receive().id, Snapshot(table=b""))
    sock.sendall(host.cancel(number))
    following, data = host.request("snapshot", SNAPSHOT)
    sock.sendall(data)
    assert peer.receive().id == following
    host.receive(encoded_request(host))
    sock.sendall(host.reply(2, Now(now=1)))
    assert peer.call("clock.now", ClockNow()) == Now(now=1)
    assert peer._unwanted == set()


def test_a_late_reply_to_a_cancelled_call_does_not_disturb_the_next(ends):
    peer, host, sock = ends
    number, data = host.request("snapshot", SNAPSHOT)
    sock.sendall(data)
    peer.receive()
    sock.sendall(host.cancel(number))
    with pytest.raises(Cancelled):
        peer.call("clock.now", ClockNow())
    peer.reply(number, Snapshot(table=b""))
    host.receive(sock.recv(1000))
    sock.sendall(host.reply(2, Now(now=1)))
    plugin_asks = Connection(Side.PLUGIN)
    plugin_asks.enter(State.RUNNING)
    plugin_asks._last_id = 2
    host.receive(plugin_asks.request("clock.now", ClockNow())[1])
    sock.sendall(host.reply(4, Now(now=2)))
    assert peer.call("clock.now", ClockNow()) == Now(now=2)


def test_only_the_hooks_thread_may_ask_but_every_thread_may_tell(ends):
    peer, host, sock = ends
    caught = []

    def elsewhere():
        peer.event("log.write", LogWrite(level="info", message="from a thread"))
        try:
            peer.call("clock.now", ClockNow())
        except RuntimeError as error:
            caught.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert caught == ["clock.now: only the thread that runs the hooks may ask the host"]
    (event,) = host.receive(sock.recv(1000))
    assert isinstance(event, EventReceived)


def test_a_descriptor_arrives_with_its_request_however_the_bytes_are_cut(ends):
    peer, host, sock = ends
    before, first = host.request("snapshot", SNAPSHOT)
    number, data = host.request("decide", DECIDE)
    fd = seal(b"table")
    sock.sendall(first[:7])
    peer._pump()
    sock.sendall(first[7:])
    socket.send_fds(sock, [data[:3]], [fd])
    sock.sendall(data[3:])
    os.close(fd)
    assert peer.receive() == Request(before, "snapshot", SNAPSHOT, None)
    request = peer.receive()
    assert (request.id, bytes(unseal(request.fd, 5))) == (number, b"table")
    os.close(request.fd)


def test_descriptors_keep_the_order_of_their_requests(ends):
    peer, host, sock = ends
    for block in (b"first", b"other"):
        fd = seal(block)
        socket.send_fds(sock, [host.request("decide", DECIDE)[1]], [fd])
        os.close(fd)
    for block in (b"first", b"other"):
        request = peer.receive()
        assert bytes(unseal(request.fd, 5)) == block
        os.close(request.fd)


def test_a_request_without_its_descriptor_is_a_violation(ends):
    peer, host, sock = ends
    sock.sendall(host.request("decide", DECIDE)[1])
    with pytest.raises(ProtocolError, match="decide came without its descriptor"):
        peer.receive()


def test_two_peers_talk_to_each_other():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        host, plugin = Peer(ours, Side.HOST), Peer(theirs, Side.PLUGIN)
        plugin.event("hello", HELLO)
        assert host.receive().method == "hello"
        fd = seal(b"x")
        answering = threading.Thread(target=serve_two, args=(theirs, plugin))
        plugin._thread = None
        answering.start()
        load = Load(archive_bytes=1, module="m", object="o", hooks=[])
        with pytest.raises(RemoteError, match="bad: very"):
            host.call("load", load, fds=(fd,))
        os.close(fd)
        assert host.call("stop", Stop()) == Done()
        answering.join()


def serve_two(sock, plugin):
    request = plugin.receive()
    os.close(request.fd)
    plugin.fail(request.id, Failure(code="bad", message="very"))
    plugin.reply(plugin.receive().id, Done())


def test_an_answer_of_the_host_has_its_type(ends):
    peer, host, sock = ends
    host.receive(encoded_request(host))
    sock.sendall(host.reply(2, {"now": "noon"}))
    with pytest.raises(ProtocolError, match="not what the protocol says"):
        peer.call("clock.now", ClockNow())


def test_a_wait_can_be_bounded():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        host = Peer(ours, Side.HOST)
        host._connection.enter(State.RUNNING)
        ours.settimeout(0.01)
        with pytest.raises(TimeoutError):
            host.call("snapshot", SNAPSHOT)
