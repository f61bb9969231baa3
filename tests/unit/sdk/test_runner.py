"""The runner end to end, in a process of its own, without walls."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pp_sdk
import pytest
from pp_sdk.memfd import seal
from pp_sdk.table import MarketRow, build
from pp_sdk.wire.aio import Channel, ChannelClosed, RemoteError
from pp_sdk.wire.messages import (
    Configure,
    Decide,
    Done,
    Hello,
    Load,
    Loaded,
    LogWrite,
    Now,
    Stop,
    decode_body,
)

PLUGIN = """
import os
import sys
from pp_sdk import Decision, clock, hookimpl, log
from helper import twice

class Agent:
    @hookimpl
    def configure(self, config):
        self.mode = config["mode"]

    @hookimpl
    def decide(self, observation):
        if self.mode == "exit":
            sys.exit(3)
        if self.mode == "crash":
            raise RuntimeError("on purpose")
        if self.mode == "huge":
            return [Decision(market="m" * 255, outcome="yes", side="buy", probability=0.5, rationale="\u2602" * 2000)] * 256
        log.info(f"saw {len(observation.markets)} at {clock.now()}")
        print("printed")
        return [
            Decision(market=market.id, outcome="yes", side="buy", probability=twice(0.3))
            for market in observation.markets
        ]

plugin = Agent()
"""
TIMES = {"seconds": 20.0, "outer_seconds": 30.0}


class Child:
    """A plugin process and the host's channel to it."""

    def __init__(self):
        ours, theirs = socket.socketpair()
        code = f"from pp_sdk.runner import main; main({theirs.fileno()}, {{'socket': 1}})"
        environment = {"PYTHONPATH": os.pathsep.join([str(Path(pp_sdk.__file__).parents[1]), *sys.path])}
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", code],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        theirs.close()
        self.events = asyncio.Queue()
        self.channel = Channel(ours, self.answer, self.events.put_nowait)

    def answer(self, request):
        assert request.method == "clock.now"
        self.channel.reply(request.id, Now(now=42))

    async def load(self, mode, files=None):
        hello = decode_body((await self.events.get()).body, Hello)
        block = packed(files or {"momentum.py": PLUGIN, "helper.py": "def twice(x):\n    return 2 * x\n"})
        fd = seal(block)
        body = Load(
            archive_bytes=len(block), module="momentum", object="plugin", hooks=["configure", "decide"]
        )
        loaded = await self.channel.call("load", body, fds=(fd,), **TIMES)
        os.close(fd)
        configured = await self.channel.call(
            "configure", Configure(config={"mode": mode}, seed=1, now=1), **TIMES
        )
        assert (loaded, configured) == (Loaded(hooks=["configure", "decide"]), Done())
        return hello

    async def decide(self, count=2):
        table = build([MarketRow(id=f"m{n}") for n in range(count)])
        fd = seal(table.block)
        try:
            body = Decide(now=5, table_bytes=len(table.block), account=None)
            return (await self.channel.call("decide", body, fds=(fd,), **TIMES)).decisions
        finally:
            os.close(fd)

    def wait(self):
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out.decode(), err.decode()


def packed(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def run(scenario):
    async def main():
        child = Child()
        try:
            return await scenario(child)
        finally:
            child.channel.close()
            child.process.kill()
            child.wait()

    return asyncio.run(main())


def test_a_plugin_lives_from_hello_to_stop():
    async def scenario(child):
        hello = await child.load("good")
        assert hello == Hello(
            protocol=1, sdk=pp_sdk.__version__, python=sys.version.split()[0], selfcheck={"socket": 1}, ext={}
        )
        decisions = await child.decide()
        log = decode_body((await child.events.get()).body, LogWrite)
        assert log == LogWrite(level="info", message="saw 2 at 42")
        assert [(one.market, one.probability) for one in decisions] == [("m0", 0.6), ("m1", 0.6)]
        assert await child.channel.call("stop", Stop(), **TIMES) == Done()
        assert child.wait() == (0, "printed\n", "")

    run(scenario)


def test_large_observations_keep_no_descriptor_once_forgotten():
    async def scenario(child):
        await child.load("good")
        for _ in range(100):
            assert len(await child.decide(250)) == 250
            await child.events.get()
        fds = os.listdir(f"/proc/{child.process.pid}/fd")
        assert len(fds) < 10

    run(scenario)


def test_a_crash_is_told_and_the_process_goes_on():
    async def scenario(child):
        await child.load("crash")
        for _ in range(2):
            with pytest.raises(RemoteError) as caught:
                await child.decide()
            assert caught.value.failure.code == "plugin_error"
            assert caught.value.failure.message == "RuntimeError: on purpose (ppz:/momentum.py:17 in decide)"
        await child.channel.call("stop", Stop(), **TIMES)
        status, _, err = child.wait()
        assert status == 0
        assert 'File "ppz:/momentum.py", line 17, in decide\n    raise RuntimeError("on purpose")' in err

    run(scenario)


def test_an_exit_ends_the_process():
    async def scenario(child):
        await child.load("exit")
        with pytest.raises(ChannelClosed, match="closed its end"):
            await child.decide()
        assert child.wait()[0] == 3

    run(scenario)


def test_an_answer_too_large_for_a_frame_is_an_error():
    async def scenario(child):
        await child.load("huge")
        with pytest.raises(RemoteError, match="too_large: decide: "):
            await child.decide()

    run(scenario)


def test_the_host_hanging_up_ends_the_process_quietly():
    async def scenario(child):
        await child.load("good")
        child.channel.close()
        assert child.wait() == (0, "", "")

    run(scenario)


def test_nonsense_from_the_host_ends_the_process_loudly():
    async def scenario(child):
        await child.load("good")
        child.channel._sock.send(b"\xff\xff\xff\xff")
        status, _, err = child.wait()
        assert status == 1
        assert "ProtocolError: a frame of 4294967295 bytes" in err

    run(scenario)
