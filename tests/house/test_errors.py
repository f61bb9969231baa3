"""Errors have someone to blame and an exit status; nothing is caught wholesale but at the named borders."""

from __future__ import annotations

import ast
import inspect

import pytest
from pp_host import errors

# Where anything at all may be caught, because it is recorded or told there: module -> number of handlers.
BORDERS: dict[str, int] = {
    "pp_host/cli/main.py": 1,  # a bug of ours becomes one line and exit 70
    "pp_sdk/session.py": 2,  # in the plugin's process: what the author's code raises becomes a reply, or lost events
}
WHOLESALE = {"Exception", "BaseException"}

# Errors outside errors.py, each with its reason.
OWN: dict[str, str] = {
    "pp_host/config/values.py: Unfit": "never leaves the room: its catcher knows the line and the key",
    "pp_host/trust/admit.py: Rejected": "a Refused that carries the number of the failed check",
}


def error_classes():
    return [
        thing
        for _, thing in inspect.getmembers(errors, inspect.isclass)
        if issubclass(thing, errors.HostError)
    ]


def caught(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {"BaseException"}
    return {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}


def passes_on(handler: ast.ExceptHandler) -> bool:
    """Whether the handler ends by raising what it caught again: cleaning up is not swallowing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def wholesale(tree: ast.Module) -> list[int]:
    """Lines that catch everything: `except Exception`, a bare except, suppress(Exception)."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and caught(node) & WHOLESALE and not passes_on(node):
            found.append(node.lineno)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            found.extend(node.lineno for argument in node.args if ast.unparse(argument) in WHOLESALE)
    return found


def test_everything_is_caught_only_at_the_borders(host, sdk):
    found = {module.name: len(lines) for module in [*host, *sdk] if (lines := wholesale(module.tree))}
    assert found == BORDERS


@pytest.mark.parametrize("error", error_classes(), ids=lambda error: error.__name__)
def test_every_error_has_an_exit_status_of_the_command_line(error):
    assert error.exit_status in {1, 3, 4, 70}


@pytest.mark.parametrize("error", error_classes(), ids=lambda error: error.__name__)
def test_every_error_is_drawn_in_the_tree(error):
    assert error.__name__ in errors.__doc__


def errors_defined(tree: ast.Module) -> list[str]:
    """Classes that derive from an exception: from one of ours, or from one named like one."""
    ours = {error.__name__ for error in error_classes()}
    return [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(
            ast.unparse(base) in ours or ast.unparse(base).endswith(("Error", "Exception"))
            for base in node.bases
        )
    ]


def test_the_host_defines_its_errors_in_one_file(host):
    elsewhere = {
        f"{module.name}: {name}"
        for module in host
        if module.name != "pp_host/errors.py"
        for name in errors_defined(module.tree)
    }
    assert elsewhere == set(OWN)


def test_each_kind_of_error_is_seen_and_other_classes_are_not():
    assert errors_defined(
        ast.parse("class A(Refused): ...\nclass B(ValueError): ...\nclass C(Struct): ...")
    ) == ["A", "B"]


@pytest.mark.parametrize(
    "catch", ["except Exception:", "except:", "except (ValueError, Exception):", "except BaseException as e:"]
)
def test_each_way_to_catch_everything_is_seen(catch):
    assert wholesale(ast.parse(f"try:\n    f()\n{catch}\n    pass")) == [3]
    assert wholesale(ast.parse(f"try:\n    f()\n{catch}\n    clean()\n    raise")) == []


def test_suppressing_everything_is_seen_and_a_named_error_is_not():
    assert wholesale(ast.parse("with contextlib.suppress(Exception):\n    f()")) == [1]
    assert (
        wholesale(ast.parse("with suppress(OSError):\n    f()\ntry:\n    f()\nexcept OSError:\n    pass"))
        == []
    )
