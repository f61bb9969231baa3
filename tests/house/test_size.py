"""Files and functions stay small enough to be read. `make size` prints how far each room is from the caps."""

from __future__ import annotations

import ast

import pytest

FILE_LINES = 400
FUNCTION_LINES = 60


def long_functions(tree: ast.Module, most: int) -> list[str]:
    return [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > most
    ]


@pytest.mark.parametrize("distribution", ["host", "sdk"])
def test_no_file_is_longer_than_the_cap(distribution, request):
    long = {
        module.name: lines
        for module in request.getfixturevalue(distribution)
        if (lines := len(module.path.read_text(encoding="utf-8").splitlines())) > FILE_LINES
    }
    assert long == {}


@pytest.mark.parametrize("distribution", ["host", "sdk"])
def test_no_function_is_longer_than_the_cap(distribution, request):
    long = {
        module.name: found
        for module in request.getfixturevalue(distribution)
        if (found := long_functions(module.tree, FUNCTION_LINES))
    }
    assert long == {}


def test_a_function_at_the_cap_passes_and_one_line_more_does_not():
    def source(lines):
        return ast.parse("def f():\n" + "    x = 1\n" * (lines - 1))

    assert long_functions(source(FUNCTION_LINES), FUNCTION_LINES) == []
    assert long_functions(source(FUNCTION_LINES + 1), FUNCTION_LINES) == [f"f: {FUNCTION_LINES + 1} lines"]
