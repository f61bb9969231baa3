"""The control socket and the kill: with a host that answers, one that does not, one that is dead, and none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.control import Ask, ControlServer, Halt, HostIdentity, ask, has_ended, kill, resume
from pp_host.control.channel import SOCKET, check_peer
from pp_host.errors import NoHost, OperatorError, RecordError, Refused
from pp_host.latch import raise_latch, read_latch
from pp_sdk.wire.frames import EVENT, REQUEST, encode

# A host in miniature: it holds the writer's lock, says who it is, and answers as told by its second argument.
HOST = """
import asyncio, fcntl, os, sys, time
from pathlib import Path
from pp_host.control import ControlServer, HostIdentity

state, manner = Path(sys.argv[1]), sys.argv[2]

async def stop(ask):
    done.set()
    return {"stopping": True}

async def kill(ask):
    if manner == "wedged":
        time.sleep(60)
    (state / "killed").write_text(ask.reason)
    return {"halted": manner == "obedient", "recorded": 7}

async def main():
    global done
    done = asyncio.Event()
    lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if manner != "nameless":
        HostIdentity.of_this_process("run-1", 1).write(state)
    async with ControlServer(state, {"stop": stop, "kill": kill} if manner != "nameless" else {}):
        print("ready", flush=True)
        await done.wait()

asyncio.run(main())
"""


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def start(state):
    with contextlib.ExitStack() as hosts:

        def start_host(manner: str) -> subprocess.Popen[bytes]:
            host = hosts.enter_context(
                subprocess.Popen([sys.executable, "-c", HOST, state, manner], stdout=subprocess.PIPE)
            )
            hosts.callback(host.kill)
            assert host.stdout.readline() == b"ready\n"
            return host

        yield start_host


class Entries:
    """Appends like the record's writer: only while nobody holds the lock."""

    def __init__(self, state: Path) -> None:
        self.kept: list[tuple[str, dict[str, object]]] = []
        self._lock = state / "lock"

    def __call__(self, event, subject):
        import fcntl

        with self._lock.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused("another host is writing this record") from None
            self.kept.append((event, dict(subject)))
            return len(self.kept) - 1


def serve(state, handlers, talk):
    """What `talk` (blocking, in a thread) returns while a server runs."""

    async def main():
        async with ControlServer(state, handlers):
            return await asyncio.to_thread(talk)

    return asyncio.run(main())


async def echo(request: Ask):
    return {"heard": request.reason, "numbers": [1, 2]}


async def refuse(_: Ask):
    raise Refused("not today", hint="tomorrow")


async def misuse(_: Ask):
    raise RecordError("the record is damaged", hint="look")


def test_a_question_is_answered(state):
    answer = serve(state, {"echo": echo}, lambda: ask(state, "echo", Ask("hällo"), timeout=5))
    assert answer == {"heard": "hällo", "numbers": [1, 2]}
    assert not (state / SOCKET).exists()


def test_what_an_operators_command_did_travels_whole(state):
    async def told(ask):
        return {"event": ask.event, "subject": ask.subject}

    subject = {"id": "org.example.s", "patterns": ["*"], "briefs": {"value": "0" * 64}, "caps": None}
    sent = Ask(event="plugin.install", subject=subject)
    assert serve(state, {"record": told}, lambda: ask(state, "record", sent, timeout=5))["subject"] == subject


def test_many_at_once_each_get_their_own_answer(state):
    from concurrent.futures import ThreadPoolExecutor

    def talk():
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda n: ask(state, "echo", Ask(str(n)), timeout=5)["heard"], range(40)))

    assert serve(state, {"echo": echo}, talk) == [str(n) for n in range(40)]


@pytest.mark.parametrize(
    ("method", "kind", "message", "hint"),
    [
        ("refuse", Refused, "not today", "tomorrow"),
        ("misuse", OperatorError, "the record is damaged", "look"),
        ("other", OperatorError, "the host knows no method other", "is it another version of pp?"),
    ],
)
def test_the_hosts_own_words_come_back(state, method, kind, message, hint):
    def talk():
        with pytest.raises(OperatorError) as caught:
            ask(state, method, timeout=5)
        return caught.value

    error = serve(state, {"refuse": refuse, "misuse": misuse}, talk)
    assert type(error) is kind
    assert (str(error), error.hint) == (message, hint)


def test_the_socket_is_ours_alone_and_a_dead_hosts_is_replaced(state):
    (state / SOCKET).write_text("left behind")

    def talk():
        assert (state / SOCKET).stat().st_mode & 0o777 == 0o600
        return ask(state, "echo", timeout=5)

    assert serve(state, {"echo": echo}, talk)


def test_a_long_path_is_no_obstacle(tmp_path):
    state = tmp_path / ("deep" * 30) / ("er" * 60)
    state.mkdir(parents=True)
    assert len(str(state)) > 200
    assert serve(state, {"echo": echo}, lambda: ask(state, "echo", Ask("far"), timeout=5))["heard"] == "far"


def raw(state: Path, data: bytes, *, end: bool = True) -> bytes:
    """What the server says to these bytes until it hangs up."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(state / SOCKET))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
            return connection.recv(1 << 16)
    return b""


GOOD = encode(REQUEST, 1, "echo", Ask("x"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00\x00\x00",
        b"\xff\xff\xff\xff" + b"x" * 1000,
        GOOD[:-1],
        GOOD + b"\x00",
        GOOD + GOOD,
        encode(EVENT, 0, "echo", Ask("x")),
        encode(REQUEST, 1, "echo", {"reason": 5}),
        encode(REQUEST, 1, "echo", {"reason": "x", "more": 1}),
        encode(REQUEST, 1, "echo", None),
    ],
)
def test_malformed_requests_get_no_answer_and_harm_nobody(state, data):
    heard = []

    async def listen(request: Ask):
        heard.append(request.reason)
        return {}

    def talk():
        assert raw(state, data) == b""
        return raw(state, GOOD)

    assert serve(state, {"echo": listen}, talk)
    assert heard == ["x"]


@given(st.lists(st.binary(max_size=64), max_size=5))
def test_no_bytes_upset_the_server(tmp_path_factory, chunks):
    state = tmp_path_factory.mktemp("state")

    def talk():
        for chunk in chunks:
            raw(state, chunk)
        return ask(state, "echo", Ask("still here"), timeout=5)

    assert serve(state, {"echo": echo}, talk)["heard"] == "still here"


def test_a_slow_asker_is_dropped_and_others_are_served(state, monkeypatch):
    from pp_host.limits import LIMITS

    monkeypatch.setattr("pp_host.control.server.LIMITS", _quick(LIMITS))

    def talk():
        began = time.monotonic()
        with socket.socket(socket.AF_UNIX) as slow:
            slow.settimeout(5)
            slow.connect(str(state / SOCKET))
            slow.sendall(GOOD[:-1])
            assert ask(state, "echo", timeout=5)
            assert slow.recv(1) == b""
        return time.monotonic() - began

    assert serve(state, {"echo": echo}, talk) < 4


def _quick(limits):
    from dataclasses import replace

    return replace(limits, control=replace(limits.control, frame_seconds=0.1))


@pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/usr/bin/python3").exists(), reason="only root can speak as somebody else"
)
def test_another_user_gets_no_answer():
    asker = (
        "import socket, sys\n"
        "with socket.socket(socket.AF_UNIX) as s:\n"
        "    s.connect(sys.argv[1]); s.settimeout(5)\n"
        "    try: s.sendall(bytes.fromhex(sys.argv[2])); print(len(s.recv(9999)))\n"
        "    except (ConnectionResetError, BrokenPipeError): print(0)\n"
    )
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        state = Path(folder)
        state.chmod(0o755)

        def talk(user):
            (state / SOCKET).chmod(0o666)
            command = ["/usr/bin/python3", "-I", "-c", asker, str(state / SOCKET), GOOD.hex()]
            return int(subprocess.run(command, user=user, capture_output=True, check=True).stdout)

        assert serve(state, {"echo": echo}, lambda: talk(65534)) == 0
        assert serve(state, {"echo": echo}, lambda: talk(0)) > 0


def test_our_own_peer_is_accepted():
    here, there = socket.socketpair()
    with here, there:
        check_peer(here)


def test_without_a_host_there_is_no_answer(state):
    with pytest.raises(OperatorError) as caught:
        ask(state, "status", timeout=1)
    assert type(caught.value) is NoHost
    assert str(caught.value) == f"{state.parent}: no host is running"


def test_a_host_that_never_answers_costs_no_more_than_the_timeout(state, start):
    start("obedient").send_signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(OperatorError, match="the host does not answer: .*time") as caught:
        ask(state, "stop", timeout=0.3)
    assert type(caught.value) is OperatorError
    assert caught.value.hint == "pp kill halts it in any case"
    assert 0.25 < time.monotonic() - began < 5


def test_a_stopping_host_still_answers(state, start):
    host = start("obedient")
    assert ask(state, "stop", timeout=5) == {"stopping": True}
    assert host.wait(10) == 0
    assert not (state / SOCKET).exists()


def test_an_answer_on_its_way_still_arrives_when_the_host_leaves(state):
    served = []

    async def main():
        leaving = asyncio.Event()

        async def late(_: Ask):
            leaving.set()
            await asyncio.sleep(0.1)  # the block below ends first
            served.append(True)
            return {"late": True}

        async with ControlServer(state, {"late": late}):
            asked = asyncio.create_task(asyncio.to_thread(lambda: ask(state, "late", timeout=5)))
            await leaving.wait()
        assert served  # nobody leaves before the answer is given
        return await asked

    assert asyncio.run(main()) == {"late": True}


def runs(identity):
    with identity.process() as process:
        return process is not None


def test_this_process_is_itself(state):
    mine = HostIdentity.of_this_process("run-1", 5)
    mine.write(state)
    assert HostIdentity.read(state) == mine
    assert runs(mine)


@pytest.mark.parametrize("change", [{"start_ticks": 1}, {"boot_id": "another boot"}, {"pid": 2**22 + 1}])
def test_another_process_under_the_same_name_is_not_the_host(change):
    assert not runs(msgspec.structs.replace(HostIdentity.of_this_process("run-1", 5), **change))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"pid":0,"start_ticks":1,"boot_id":"","run":"","started":1}', b"\xff"]
)
def test_an_unreadable_identity_is_none(state, data):
    (state / "host.json").write_bytes(data)
    assert HostIdentity.read(state) is None


def test_an_ended_process_does_not_run(state, start):
    host = start("obedient")
    identity = HostIdentity.read(state)
    with identity.process() as process:
        assert not has_ended(process, 0)
        host.kill()
        assert has_ended(process, 5)  # dead and unburied counts as ended
    assert not runs(identity)
    host.wait()
    assert not runs(identity)


def test_kill_with_a_host_that_answers(state, start):
    host, entries = start("obedient"), Entries(state)
    done = kill(state, "enough", entries)
    assert done == Halt(latched=True, host="answered", recorded=7, unconfirmed=())
    assert done.halted
    assert (state / "killed").read_text() == "enough"
    assert read_latch(state) == "enough"
    assert host.poll() is None
    assert entries.kept == []


@pytest.mark.parametrize("manner", ["stopped", "wedged", "disobedient"])
def test_kill_with_a_host_that_does_not_obey(state, start, manner):
    host, entries = start("obedient" if manner == "stopped" else manner), Entries(state)
    if manner == "stopped":
        host.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    done = kill(state, "enough", entries)
    assert time.monotonic() - began < 8
    assert done == Halt(latched=True, host="ended", recorded=0, unconfirmed=())
    assert done.halted
    assert host.wait(5) == -signal.SIGKILL
    assert entries.kept == [("state.kill", {"reason": "enough", "host": "ended", "latched": True})]
    assert read_latch(state) == "enough"


def test_kill_with_a_dead_host(state, start):
    host, entries = start("obedient"), Entries(state)
    host.kill()
    host.wait()
    assert (state / SOCKET).exists()
    done = kill(state, "enough", entries)
    assert done == Halt(latched=True, host="absent", recorded=0, unconfirmed=())
    assert done.halted
    assert entries.kept == [("state.kill", {"reason": "enough", "host": "absent", "latched": True})]


def test_kill_without_any_host(state):
    done = kill(state, "enough", Entries(state))
    assert done == Halt(latched=True, host="absent", recorded=0, unconfirmed=())
    assert done.halted


def test_kill_never_ends_a_process_that_got_the_hosts_number(state):
    with subprocess.Popen(["sleep", "60"]) as bystander:
        mine = HostIdentity.of_this_process("run-1", 5)
        msgspec.structs.replace(mine, pid=bystander.pid).write(state)
        done = kill(state, "enough", Entries(state))
        assert bystander.poll() is None
        bystander.kill()
    assert (done.host, done.halted) == ("absent", True)


def test_kill_is_not_certain_while_an_unknown_writer_holds_the_lock(state, start):
    host = start("nameless")
    done = kill(state, "enough", Entries(state))
    assert done == Halt(
        latched=True,
        host="absent",
        recorded=None,
        unconfirmed=("the record has no entry: another host is writing this record",),
    )
    assert not done.halted
    assert host.poll() is None
    assert read_latch(state) == "enough"


def test_kill_waits_for_a_host_that_is_just_starting(state):
    calls = []

    def append(event, subject):
        calls.append(event)
        if len(calls) < 3:
            raise Refused("another host is writing this record")
        return 4

    done = kill(state, "enough", append)
    assert done == Halt(latched=True, host="absent", recorded=4, unconfirmed=())


def test_kill_with_a_damaged_record_is_told(state, start):
    start("obedient").send_signal(signal.SIGSTOP)

    def append(event, subject):
        raise RecordError("the record is damaged")

    done = kill(state, "enough", append)
    assert done == Halt(
        latched=True,
        host="ended",
        recorded=None,
        unconfirmed=("the record has no entry: the record is damaged",),
    )
    assert done.halted


def test_kill_without_a_latch_rests_on_the_record(state, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pp_host.control.halt.raise_latch", full)
    done = kill(state, "enough", Entries(state))
    assert (done.latched, done.recorded, done.halted) == (False, 0, True)
    assert done.unconfirmed == ("the latch could not be written: [Errno 28] No space left on device",)

    def broken(event, subject):
        raise RecordError("gone")

    assert not kill(state, "enough", broken).halted


@pytest.mark.parametrize(
    ("latched", "host", "recorded", "certain"),
    [
        (True, "answered", 7, True),
        (False, "answered", 7, True),
        (True, "ended", None, True),
        (False, "ended", 7, True),
        (False, "ended", None, False),
        (True, "absent", 7, True),
        (True, "absent", None, False),
        (False, "absent", 7, True),
        (True, "unknown", 7, False),
        (True, "unknown", None, False),
    ],
)
def test_what_counts_as_certain(latched, host, recorded, certain):
    assert Halt(latched=latched, host=host, recorded=recorded, unconfirmed=()).halted is certain


def test_resume_records_and_then_clears(state):
    raise_latch(state, "enough")
    entries = Entries(state)
    assert resume(state, "all clear", entries) == 0
    assert entries.kept == [("state.resume", {"reason": "all clear"})]
    assert read_latch(state) is None


def test_resume_that_cannot_be_recorded_stays_latched(state):
    raise_latch(state, "enough")

    def append(event, subject):
        raise Refused("another host is writing this record")

    with pytest.raises(Refused):
        resume(state, "all clear", append)
    assert read_latch(state) == "enough"


def test_resume_asks_a_running_host(state):
    raise_latch(state, "enough")
    heard = []

    async def listen(request: Ask):
        heard.append(request.reason)
        return {"recorded": 9}

    assert serve(state, {"resume": listen}, lambda: resume(state, "all clear", Entries(state))) == 9
    assert heard == ["all clear"]


def test_a_folder_without_permission_is_not_a_silent_host(tmp_path):
    with pytest.raises(NoHost):
        ask(tmp_path, "status", timeout=1)
    tmp_path.chmod(0)
    try:
        if os.access(tmp_path, os.R_OK):
            pytest.skip("whoever runs this may read everything")
        with pytest.raises(
            OperatorError, match=r"control\.sock: cannot be reached: Permission denied"
        ) as refused:
            ask(tmp_path, "status", timeout=1)
        assert refused.value.hint == f"{tmp_path} needs your permission to read and write"
    finally:
        tmp_path.chmod(0o700)
