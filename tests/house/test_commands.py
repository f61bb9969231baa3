"""docs/CLI.md tells every command and option that `pp` registers."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from importlib import import_module

import msgspec
import pytest
import typer
import typer.main
from pp_host.app import results, risk, status, views
from pp_host.app.report import shapes as reported
from pp_host.backtest.collection import Holding
from pp_host.backtest.coverage import Coverage
from pp_host.backtest.intake import FileCount, Imported
from pp_host.backtest.trace import Gap, MarketCoverage
from pp_host.cli import sandbox
from pp_host.cli.main import COMMANDS
from pp_host.control import Halt
from pp_host.model import Reason
from pp_host.storage import questions, rundown
from pp_host.storage.tables import DecisionRow, FillRow, LineRow, OrderRow, RunRow

SHAPES = {
    "pp data show": (Coverage, MarketCoverage, Gap),
    "pp data list": (Holding,),
    "pp data import": (Imported, FileCount),
    "pp report": [
        shape
        for shape in vars(reported).values()
        if getattr(shape, "__module__", "") == reported.__name__
        and shape is not reported.Link  # on the page only
    ],
}


def leaves(command, name):
    """(path, command) of every command below `command` that does something."""
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for word, child in below.items():
        yield from leaves(child, f"{name} {word}")


def options(command):
    """The long spelling of each option, a short one where there is no other."""
    for parameter in command.params:
        if parameter.param_type_name == "option" and not getattr(parameter, "hidden", False):
            yield max(parameter.opts, key=len)


@pytest.fixture(scope="module")
def commands():
    found = {}
    for word, place in COMMANDS.items():
        registered = getattr(import_module(f"pp_host.cli.{place.module}"), place.attribute)
        if not isinstance(registered, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(word)(registered)
            registered = alone
        found |= leaves(typer.main.get_command(registered), f"pp {word}")
    return found


@pytest.fixture(scope="module")
def sections(root):
    """The text under each `### \\`pp ...\\`` heading, by the command it names."""
    text = (root / "docs" / "CLI.md").read_text(encoding="utf-8")
    parts = re.split(r"^###? ", text, flags=re.MULTILINE)
    return {match.group(1): part for part in parts if (match := re.match(r"`(pp(?: [a-z-]+)+)", part))}


def test_every_reason_of_a_verdict_is_explained(sections):
    told = set(re.findall(r"`([a-z_]+)`", sections["pp decisions"].partition("| reason |")[2]))
    assert {reason.value for reason in Reason} <= told


def test_every_command_is_documented_and_every_documented_command_exists(commands, sections):
    assert set(sections) == set(commands)


def test_every_option_is_documented(commands, sections):
    common = {"--home", "--json", "--help"}
    missing = [
        f"{name} {option}"
        for name, command in commands.items()
        for option in options(command)
        if option not in common and option not in sections.get(name, "")
    ]
    assert missing == []


def test_every_command_has_a_line_of_help(commands):
    assert [name for name, command in commands.items() if not command.help] == []


# A command's JSON beyond what the command itself writes out: rows of tables, and functions that make documents.
ROWS = {
    "pp runs": RunRow,
    "pp status": RunRow,
    "pp orders": OrderRow,
    "pp fills": FillRow,
    "pp decisions": DecisionRow,
    "pp logs": LineRow,
}
DOCUMENTS = {
    "pp status": (status.recorded, questions.summary),
    "pp runs": (views.runs, rundown.runs),
    "pp positions": (views.positions, views._observed, views._position, views._position_totals),
    "pp orders": (views.orders, views._order),
    "pp fills": (views.fills, views._order),
    "pp decisions": (views.decisions, views._order, questions.decisions),
    "pp sandbox run": (sandbox._told,),
    "pp sandbox exec": (sandbox._told,),
    "pp risk show": (risk.limits, risk._limit, risk._bound, risk._plugin),
}


def fields(function):
    """The keys of the dictionaries that a function returns or calls `document`, where they are written out."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    for node in ast.walk(tree):
        written = isinstance(node, ast.Return) or (
            isinstance(node, ast.Assign | ast.AnnAssign) and "document" in ast.unparse(node).split("=")[0]
        )
        if written and node.value is not None:
            for inner in ast.walk(node.value):
                if isinstance(inner, ast.Dict):
                    yield from (key.value for key in inner.keys if isinstance(key, ast.Constant))


def told(section):
    """Every word in backticks after a command's first `JSON`."""
    after = section.partition("JSON")[2]
    return {word for quoted in re.findall(r"`([^`]+)`", after) for word in re.findall(r"\w+", quoted)}


def test_every_field_of_a_commands_json_is_documented(commands, sections):
    found = {name: set(fields(command.callback)) for name, command in commands.items()}
    found["pp kill"] |= set(Halt.__struct_fields__)
    for name, shapes in SHAPES.items():
        found[name] |= {field.encode_name for shape in shapes for field in msgspec.structs.fields(shape)}
    for function in (results.plugin_facts, results.account_facts, results.tape_facts, results.record_facts):
        found["pp run"] |= set(fields(function))
    for name, row in ROWS.items():
        found[name] |= set(row.model_fields) - {"order_id"}
    for name, functions in DOCUMENTS.items():
        found[name] |= {field for function in functions for field in fields(function)}
    assert {"unrealised", "average_price", "markets"} <= found["pp positions"]
    assert {"unit", "binds", "observed_at"} <= found["pp risk show"]
    assert {"halted", "recorded"} <= found["pp kill"]
    assert {"digest", "decisions", "steps", "root"} <= found["pp run"]
    assert {"checkpoints", "vkey"} <= found["pp audit verify"]
    missing = {name: lost for name, keys in found.items() if (lost := keys - told(sections[name]))}
    assert missing == {}
