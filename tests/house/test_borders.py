"""Where the host meets a stranger's bytes: no body is decoded without a type, no file of a plugin's naming is opened
but below a descriptor, and nothing waits for a plugin without an end."""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Iterator

from pp_host.keep import lines
from pp_host.sandbox.launch import launch
from pp_host.supervisor.process import PluginProcess
from pp_sdk.wire.aio import Channel

TYPED = {
    "msgspec.json.decode",
    "msgspec.msgpack.decode",
    "msgspec.json.Decoder",
    "msgspec.msgpack.Decoder",
    "msgspec.convert",
}
UNTYPED = {"json.loads", "json.load"}
CODE = {
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "yaml.load",
    "yaml.safe_load",
    "yaml.full_load",
    "eval",
    "exec",
}

# Files and rooms that may read JSON without a type, each with its reason.
DOORS = {
    "pp_host/sandbox/": "words between the host and its own launchers, before there is a plugin",
    "pp_host/config/lines.py": "one quoted key of pp.toml",
    "pp_host/trust/jsontext.py": "bounded files, to which a type is applied next",
}

# What the supervisor awaits, and why it comes back whatever a plugin does.
ENDS = {
    "self.plugin.call": "Supervised.call",
    "self._process.call": "PluginProcess.call",
    "self._ask": "Channel.call, with both deadlines",
    "self._channel.call": "has both deadlines",
    "launch": "has a timeout",
    "PluginProcess.start": "the launch, the greeting, load and configure each have a deadline",
    "process.prepare": "the greeting, load and configure each have a deadline",
    "self._shake_hands": "the greeting, load and configure each have a deadline",
    "strongest": "launches, each with a timeout",
    "self._greeting": "has a deadline",
    "asyncio.wait": "inside the greeting's deadline",
    "asyncio.sleep": "time",
    "anyio.sleep": "time",
    "self.ended": "a signal that cannot be refused was sent, or stands after the deadline around it",
    "asyncio.shield": "whoever waits is told of the end, which is the kernel's",
    "self._process.stop": "ends it after stop_seconds",
    "self._process.ended": "the plugin's life itself: nobody else waits for it",
    "self._answering.answer": "our own answer to it",
    "self._live_once": "the plugin's life itself",
    "self._start": "PluginProcess.start",
    "self._fell": "a bounded wait",
    "self._stopping.wait": "inside a bounded wait",
    "self._over.wait": "stop has ended the process",
    "awaitable": "a proxy's call",
    "answers[0]": "a proxy's call",
    "_together": "proxies' calls",
    "asyncio.gather": "proxies' calls, or queues that are waited for so long",
    "self._call": "proxies' calls",
    "self._show": "proxies' calls",
    "self._until": "of a task that nobody waits for, or inside a deadline of whoever does",
    "self._tell": "Supervised.call",
    "self._fewer": "patience is bounded",
    "self._change.wait": "self._until",
}  # fmt: skip


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def has_type(call: ast.Call) -> bool:
    given = {keyword.arg for keyword in call.keywords}
    first = 0 if ast.unparse(call.func).endswith("Decoder") else 1
    return "type" in given or len(call.args) > first


def test_nothing_is_decoded_without_a_type(host, sdk):
    found = [
        f"{module.name}:{call.lineno}"
        for module in [*host, *sdk]
        for call in calls(module.tree)
        if ast.unparse(call.func) in TYPED and not has_type(call)
    ]
    assert found == []


def test_json_without_a_type_has_its_doors(host, sdk):
    used = {m.name for m in [*host, *sdk] for call in calls(m.tree) if ast.unparse(call.func) in UNTYPED}
    assert {next((door for door in DOORS if name.startswith(door)), name) for name in used} == set(DOORS)


def test_nothing_decodes_into_code(host):
    """A plugin's own code is run by the plugin's own process, in pp_sdk; the host runs none."""
    names = {
        name
        for module in host
        for node in ast.walk(module.tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import | ast.ImportFrom)
            else [ast.unparse(node.func)]
            if isinstance(node, ast.Call)
            else []
        )
    }
    assert names & CODE == set()


def test_the_rooms_that_hear_plugins_open_no_file(host):
    opening = (
        "open",
        "read_text",
        "read_bytes",
        "write_text",
        "write_bytes",
        "readlink",
        "mkdir",
        "unlink",
        "iterdir",
    )
    found = {
        f"{module.name}:{call.lineno}"
        for module in host
        if module.name.startswith(("pp_host/broker/", "pp_host/supervisor/"))
        for call in calls(module.tree)
        if ast.unparse(call.func).rpartition(".")[2] in opening
    }
    assert found == set()


def test_what_a_plugin_names_is_reached_only_below_a_descriptor_and_through_no_link(host):
    (module,) = (one for one in host if one.name == "pp_host/keep/lines.py")
    named = [
        call
        for call in calls(module.tree)
        if ast.unparse(call.func).startswith("os.") and any(ast.unparse(one) == "name" for one in call.args)
    ]
    assert {ast.unparse(call.func) for call in named} == {"os.open", "os.mkdir", "os.stat"}
    assert all("dir_fd" in {keyword.arg for keyword in call.keywords} for call in named)
    assert lines.APPENDING & os.O_NOFOLLOW
    assert lines.FOLDER & os.O_NOFOLLOW


def required(function: object) -> set[str]:
    return {name for name, one in inspect.signature(function).parameters.items() if one.default is one.empty}  # type: ignore[arg-type]


def test_whoever_asks_a_plugin_says_how_long_it_may_take(host):
    assert required(Channel.call) >= {"seconds", "outer_seconds"}
    assert required(launch) >= {"timeout_seconds"}
    assert required(PluginProcess._ask) >= {"seconds"}
    makers = {
        module.name for module in host for call in calls(module.tree) if ast.unparse(call.func) == "Channel"
    }
    assert makers == {"pp_host/supervisor/process.py"}


def test_every_wait_of_the_supervisors_has_an_end_that_is_written_down(host):
    awaited = {
        ast.unparse(node.value.func if isinstance(node.value, ast.Call) else node.value)
        for module in host
        if module.name.startswith("pp_host/supervisor/")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Await)
    }
    assert awaited == set(ENDS)
