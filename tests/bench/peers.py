"""T2, T6: against programs of others, where they are. They run in environments of their own, never in this one.

PP_BENCH_PROGRAMS  folder with bench_call.py and bench_start.py, which drive the peers; default ../shared/bench
PP_BENCH_GRPC      a Python that has grpcio and msgspec
PP_BENCH_SRT       Anthropic's sandbox-runtime: its `srt`; needs node, bwrap, socat and rg on the path
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from time import perf_counter_ns as now
from typing import Any

from pp_host.sandbox.launch import Launch, Launcher
from pp_host.supervisor.life import Outcome

from tests.bench.figure import Absent, Figure, Pair, Target, p50
from tests.bench.guest import QUESTION, Package, blocking_peer, running, spec_of, started
from tests.bench.rounds import Effort, awaited, blocking

PROGRAMS = Path(__file__).resolve().parents[3] / "shared" / "bench"
PEER_SECONDS = 60.0
SRT_NEEDS = ("node", "bwrap", "socat", "rg")


class NotHere(Exception):
    """The peer cannot be measured on this machine."""


def grpc(effort: Effort) -> Mapping[str, Figure | Absent]:
    """A small call through grpcio over a unix socket, as go-plugin makes it, against ours through both drivers."""
    try:
        python = _program("PP_BENCH_GRPC", "a Python with grpcio and msgspec")
        program = _driver("bench_call.py")
        _grpc(program, python)  # warm, and there at all
        return asyncio.run(_against_grpc(effort, program, python))
    except NotHere as why:
        return {name: Absent(str(why)) for name in ("T2-blocking", "T2-asyncio")}


def srt(effort: Effort) -> Mapping[str, Figure | Absent]:
    """`python -I -c pass` inside sandbox-runtime, from start to exit, against our start of a plugin."""
    try:
        peer = _program("PP_BENCH_SRT", "the program srt")
        if missing := [name for name in SRT_NEEDS if shutil.which(name) is None]:
            raise NotHere(f"srt needs {', '.join(missing)}")
        program = _driver("bench_start.py")
        _srt(program, peer)
        return {"T6": asyncio.run(_against_srt(effort, program, peer))}
    except NotHere as why:
        return {"T6": Absent(str(why))}


async def _against_grpc(effort: Effort, program: Path, python: str) -> Mapping[str, Figure]:
    several: dict[str, list[Pair]] = {"T2-blocking": [], "T2-asyncio": []}
    spec = spec_of(Package.made().verified())
    async with blocking_peer(spec) as peer, running(spec) as process:
        ours = {
            "T2-blocking": blocking(partial(peer.call, "advise", QUESTION)),
            "T2-asyncio": awaited(partial(process.call, "advise", QUESTION)),
        }
        for _ in effort.each_round("T2"):
            theirs = _grpc(program, python)
            for name, turn in ours.items():
                several[name].append(Pair(p50(await turn(effort.turns * effort.calls)), theirs))
    return {name: Figure(pairs, Target(">=", 20), faster=True) for name, pairs in several.items()}


async def _against_srt(effort: Effort, program: Path, peer: str) -> Figure:
    """Ours as in a session: the zygote was there before."""
    package = Package.made()
    with closing(Launcher()) as launcher:
        await _start(package, launcher.launch)
        several = [
            Pair(await _start(package, launcher.launch), _srt(program, peer)) for _ in effort.each_round("T6")
        ]
    return Figure(several, Target(">=", 50), faster=True)


async def _start(package: Package, launch: Launch) -> float:
    at = now()
    process = await started(spec_of(package.verified()), launch=launch)
    taken = (now() - at) / 1000
    process.end(Outcome.OK, "measured")
    await process.ended()
    return taken


def _grpc(program: Path, python: str) -> float:
    """Microseconds of the median call."""
    only = ["--sizes", "1", "--rounds", "1", "--slice", "0.5", "--only", "grpcio_uds"]
    found = _ask_driver([python, str(program), *only])
    return _number(found["sizes"]["1"]["variants"]["grpcio_uds"], "p50_us")


def _srt(program: Path, peer: str) -> float:
    """Microseconds of one start."""
    name = "srt_python_I_pass"
    found = _ask_driver([sys.executable, str(program), "--n", "1", "--srt", peer, "--only", name])
    return 1000 * _number(found["variants"][name], "p50_ms")


def _ask_driver(command: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:  # grpc's socket lies in the current one
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=PEER_SECONDS, check=True
            )
        except subprocess.TimeoutExpired:
            raise NotHere(f"{Path(command[1]).name}: not done within {PEER_SECONDS:g} s") from None
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ["no word"])[-1]
            raise NotHere(f"{Path(command[1]).name}: {last}") from None
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _number(found: dict[str, Any], key: str) -> float:
    if key not in found:
        raise NotHere(str(found.get("error", f"no {key}")))
    return float(found[key])


def _program(variable: str, what: str) -> str:
    named = os.environ.get(variable)
    if not named:
        raise NotHere(f"{variable} does not say where {what} is")
    if shutil.which(named) is None:
        raise NotHere(f"{variable}: {named} cannot be run")
    return str(Path(named).absolute())


def _driver(name: str) -> Path:
    program = Path(os.environ.get("PP_BENCH_PROGRAMS", PROGRAMS)) / name
    if not program.is_file():
        raise NotHere(f"there is no {name}; PP_BENCH_PROGRAMS names its folder")
    return program
