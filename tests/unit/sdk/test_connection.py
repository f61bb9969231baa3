"""The protocol's states, ids and debts, without any socket."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pp_sdk.types import SnapshotRequest
from pp_sdk.wire.connection import (
    Connection,
    ErrorReceived,
    EventReceived,
    NotNow,
    ReplyReceived,
    RequestReceived,
)
from pp_sdk.wire.frames import ERROR, EVENT, REPLY, REQUEST, ProtocolError, encode
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
    Now,
    Side,
    Snapshot,
    State,
    Stop,
)

HELLO = Hello(protocol=1, sdk="", python="", selfcheck={}, ext={})
LOAD = Load(archive_bytes=1, module="m", object="o", hooks=[])
CONFIGURE = Configure(config={}, seed=0, now=0)
SNAPSHOT = SnapshotRequest(now=1)
SORRY = Failure(code="sorry", message="no")


def pair(state=State.RUNNING):
    """A host and a plugin that have come as far as `state`."""
    host, plugin = Connection(Side.HOST), Connection(Side.PLUGIN)
    if state is not State.OPENED:
        host.receive(plugin.event("hello", HELLO))
    if state in {State.LOADED, State.RUNNING, State.STOPPING}:
        ask(host, plugin, "load", LOAD, Loaded(hooks=[]))
    if state in {State.RUNNING, State.STOPPING}:
        ask(host, plugin, "configure", CONFIGURE, Done())
    if state is State.STOPPING:
        plugin.receive(host.request("stop", Stop())[1])
    assert host.state == plugin.state == state
    return host, plugin


def ask(host, plugin, method, body, reply):
    number, data = host.request(method, body)
    plugin.receive(data)
    return host.receive(plugin.reply(number, reply))


def test_a_request_is_received_answered_and_forgotten():
    host, plugin = pair()
    number, data = host.request("snapshot", SNAPSHOT)
    (received,) = plugin.receive(data)
    assert isinstance(received, RequestReceived)
    assert (received.id, received.method, len(plugin._owed)) == (number, "snapshot", 1)
    assert msgspec.msgpack.decode(received.body, type=SnapshotRequest) == SNAPSHOT
    (reply,) = host.receive(plugin.reply(number, Snapshot(table=b"t")))
    assert isinstance(reply, ReplyReceived)
    assert (reply.id, len(plugin._owed)) == (number, 0)


def test_a_failure_is_an_error_with_its_body_decoded():
    host, plugin = pair()
    number, data = host.request("snapshot", SNAPSHOT)
    plugin.receive(data)
    assert host.receive(plugin.fail(number, SORRY)) == [ErrorReceived(number, SORRY)]


def test_ids_rise_odd_from_the_host_and_even_from_the_plugin():
    host, plugin = pair(State.RUNNING)
    hosts = [host.request("snapshot", SNAPSHOT)[0] for _ in range(3)]
    plugins = [plugin.request("clock.now", ClockNow())[0] for _ in range(3)]
    assert hosts == [5, 7, 9]
    assert plugins == [2, 4, 6]


@pytest.mark.parametrize("number", [1, 3, 4, 2, 6])
def test_a_request_with_a_used_or_foreign_id_is_refused(number):
    _, plugin = pair()
    with pytest.raises(ProtocolError, match="ids rise and keep their parity"):
        plugin.receive(encode(REQUEST, number, "snapshot", SNAPSHOT))


def test_ids_may_skip_but_not_return():
    _, plugin = pair()
    plugin.receive(encode(REQUEST, 101, "snapshot", SNAPSHOT))
    with pytest.raises(ProtocolError, match="request id 99 after 101"):
        plugin.receive(encode(REQUEST, 99, "snapshot", SNAPSHOT))


@pytest.mark.parametrize("kind", [REPLY, ERROR])
@pytest.mark.parametrize("number", [1, 2, 7])
def test_an_answer_to_an_id_that_is_not_open_is_refused(kind, number):
    host, _ = pair()
    with pytest.raises(ProtocolError, match=f"an answer to {number}, which is not open"):
        host.receive(encode(kind, number, "snapshot", SORRY))


def test_a_second_answer_is_refused():
    host, plugin = pair()
    number, data = host.request("snapshot", SNAPSHOT)
    plugin.receive(data)
    reply = plugin.reply(number, Snapshot(table=b""))
    assert len(host.receive(reply)) == 1
    with pytest.raises(ProtocolError, match="not open"):
        host.receive(reply)


def test_an_answer_must_name_the_method_it_answers():
    host, _ = pair()
    number, _ = host.request("snapshot", SNAPSHOT)
    with pytest.raises(ProtocolError, match="an answer to 'snapshot' that says it is 'decide'"):
        host.receive(encode(REPLY, number, "decide", Done()))


@pytest.mark.parametrize("fails", [False, True])
def test_an_answer_that_crosses_a_cancel_is_dropped_once(fails):
    host, plugin = pair()
    number, data = host.request("snapshot", SNAPSHOT)
    plugin.receive(data)
    answer = plugin.fail(number, SORRY) if fails else plugin.reply(number, Snapshot(table=b""))
    (cancel,) = plugin.receive(host.cancel(number))
    assert isinstance(cancel, EventReceived)
    assert host.late == 1
    assert host.receive(answer) == []
    assert host.late == 0
    with pytest.raises(ProtocolError, match="not open"):
        host.receive(answer)


def test_a_failure_without_its_fields_is_refused():
    host, _ = pair()
    number, _ = host.request("snapshot", SNAPSHOT)
    with pytest.raises(ProtocolError, match="body"):
        host.receive(encode(ERROR, number, "snapshot", {"code": "x"}))


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("name", list(METHODS))
def test_a_method_is_taken_exactly_in_its_states(name, state):
    method = METHODS[name]
    host, plugin = pair(state)
    receiver = plugin if method.sender is Side.HOST else host
    number = 1001 if method.sender is Side.HOST else 1002
    data = encode(*((EVENT, 0) if method.reply is None else (REQUEST, number)), name, None)
    if state in method.states:
        assert receiver.receive(data)[0].method == name
    else:
        with pytest.raises(ProtocolError, match=f"{name!r} while {state}"):
            receiver.receive(data)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("name", list(METHODS))
def test_a_method_is_sent_exactly_in_its_states(name, state):
    method = METHODS[name]
    host, plugin = pair(state)
    sender, other = (host, plugin) if method.sender is Side.HOST else (plugin, host)
    send = Connection.event if method.reply is None else Connection.request
    if state in method.states:
        assert send(sender, name, None)
    else:
        with pytest.raises(NotNow, match=f"while {state}"):
            send(sender, name, None)
    with pytest.raises(NotNow):
        send(other, name, None)


@pytest.mark.parametrize(
    ("side", "data"),
    [
        (Side.HOST, encode(REQUEST, 2, "decide", None)),  # only the host may ask that
        (Side.HOST, encode(REQUEST, 2, "http.fetch", None)),  # unknown
        (Side.HOST, encode(REQUEST, 2, "log.write", None)),  # an event
        (Side.HOST, encode(EVENT, 0, "clock.now", None)),  # a request
        (Side.PLUGIN, encode(REQUEST, 1001, "clock.now", None)),
        (Side.PLUGIN, encode(EVENT, 0, "hello", HELLO)),
    ],
)
def test_what_a_peer_may_not_say_is_refused(side, data):
    host, plugin = pair()
    with pytest.raises(ProtocolError, match="nothing this peer may say"):
        (host if side is Side.HOST else plugin).receive(data)


def test_more_unanswered_requests_than_allowed_are_refused_on_both_ends():
    host = Connection(Side.HOST, in_flight=3)
    plugin = Connection(Side.PLUGIN, in_flight=4)
    host.receive(plugin.event("hello", HELLO))
    for _ in range(3):
        host.receive(plugin.request("clock.now", ClockNow())[1])
    fourth = plugin.request("clock.now", ClockNow())[1]
    with pytest.raises(ProtocolError, match="more than 3 requests unanswered"):
        host.receive(fourth)
    with pytest.raises(NotNow, match="4 requests are unanswered"):
        plugin.request("clock.now", ClockNow())


def test_an_answered_request_makes_room_for_the_next():
    host = Connection(Side.HOST, in_flight=1)
    plugin = Connection(Side.PLUGIN, in_flight=1)
    host.receive(plugin.event("hello", HELLO))
    for _ in range(5):
        number, data = plugin.request("clock.now", ClockNow())
        host.receive(data)
        assert len(plugin.receive(host.reply(number, Now(now=1)))) == 1


def test_a_cancelled_request_counts_until_it_is_answered():
    host = Connection(Side.HOST, in_flight=1)
    plugin = Connection(Side.PLUGIN)
    host.receive(plugin.event("hello", HELLO))
    number, data = host.request("load", LOAD)
    plugin.receive(data)
    host.cancel(number)
    with pytest.raises(NotNow, match="1 requests are unanswered"):
        host.request("load", LOAD)
    host.receive(plugin.fail(number, SORRY))
    assert host.request("load", LOAD)


def test_a_failed_load_leaves_the_connection_where_it_was():
    host, plugin = pair(State.GREETED)
    number, data = host.request("load", LOAD)
    plugin.receive(data)
    host.receive(plugin.fail(number, SORRY))
    assert host.state == plugin.state == State.GREETED


def test_an_answer_to_configure_after_stop_does_not_restart():
    host, plugin = pair(State.LOADED)
    number, data = host.request("configure", CONFIGURE)
    plugin.receive(data)
    plugin.receive(host.request("stop", Stop())[1])
    host.receive(plugin.reply(number, Done()))
    assert host.state == plugin.state == State.STOPPING


class Dialogue(RuleBasedStateMachine):
    """Two ends that keep to the rules never accuse each other, whatever the order and however late bytes arrive."""

    def __init__(self):
        super().__init__()
        self.host, self.plugin = pair()
        self.down, self.up = b"", b""  # on their way to the plugin, to the host
        self.open, self.asked = [], []
        self.answers, self.dropped = 0, 0

    @precondition(lambda self: len(self.open) + self.host.late < 60)
    @rule()
    def host_asks(self):
        number, data = self.host.request("snapshot", SNAPSHOT)
        self.open.append(number)
        self.down += data

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def host_cancels(self, data):
        number = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        self.down += self.host.cancel(number)

    @rule(count=st.integers(1, 200))
    def plugin_reads(self, count):
        data, self.down = self.down[:count], self.down[count:]
        self.asked += [one.id for one in self.plugin.receive(data) if isinstance(one, RequestReceived)]

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), fails=st.booleans())
    def plugin_answers(self, data, fails):
        number = self.asked.pop(data.draw(st.integers(0, len(self.asked) - 1)))
        self.up += (
            self.plugin.fail(number, SORRY) if fails else self.plugin.reply(number, Snapshot(table=b""))
        )

    @rule(count=st.integers(1, 200))
    def host_reads(self, count):
        data, self.up = self.up[:count], self.up[count:]
        for one in self.host.receive(data):
            self.open.remove(one.id)

    @invariant()
    def debts_agree_once_all_is_read(self):
        if not self.down and not self.up:
            assert len(self.plugin._owed) == len(self.asked) == len(self.open) + self.host.late


TestDialogue = Dialogue.TestCase
TestDialogue.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_cancel_names_a_request_of_ours():
    host, _ = pair()
    number, _ = host.request("snapshot", SNAPSHOT)
    assert encode(EVENT, 0, "cancel", Cancel(id=number)) == host.cancel(number)
    with pytest.raises(KeyError):
        host.cancel(number)
