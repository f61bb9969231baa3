"""Money is integers (docs/adr/0003), and an order is made in one place."""

from __future__ import annotations

import ast

import pytest

# The doors where a float may stand in the money rooms, each with its reason: (module, function).
DOORS: dict[tuple[str, str], str] = {
    (
        "pp_host/core/sizing.py",
        "ppm",
    ): "the core's door: a plugin's probability becomes parts per million here",
    ("pp_host/core/sizing.py", "kelly"): "divides Fractions, which is exact",
}


def money_module(name: str) -> bool:
    return name == "pp_host/model.py" or name.startswith(("pp_host/core/", "pp_host/venue/"))


def floats(tree: ast.AST, function: str = "") -> list[tuple[str, int]]:
    """(enclosing function, line) of each float literal, true division and mention of float."""
    found = []
    for node in ast.iter_child_nodes(tree):
        inside = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        named = isinstance(node, ast.Name) and node.id == "float"
        division = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
        if literal or named or division:
            found.append((inside, node.lineno))
        found.extend(floats(node, inside))
    return found


def orders_made(tree: ast.Module) -> list[int]:
    """Lines that construct an Order, or copy a verdict's order with changes."""
    made = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).rpartition(".")[2]
        copies = called == "replace" and node.args and ast.unparse(node.args[0]).endswith(".order")
        if called == "Order" or copies:
            made.append(node.lineno)
    return made


def test_the_money_rooms_hold_no_float(host):
    found = {
        f"{module.name}:{line} in {function or 'the module'}"
        for module in host
        if money_module(module.name)
        for function, line in floats(module.tree)
        if (module.name, function) not in DOORS
    }
    assert found == set()


def test_every_named_door_still_holds_a_float(host):
    seen = {
        (module.name, function)
        for module in host
        if money_module(module.name)
        for function, _ in floats(module.tree)
    }
    assert set(DOORS) <= seen


def test_only_risk_makes_an_order(host):
    assert {module.name for module in host if orders_made(module.tree)} == {"pp_host/core/risk.py"}


@pytest.mark.parametrize("text", ["a = 0.5", "a = float('1')", "a = b / 2", "a /= 2", "def f(a: float): ..."])
def test_each_way_to_a_float_is_seen(text):
    assert len(floats(ast.parse(text))) == 1


@pytest.mark.parametrize("text", ["a = b // 2", "a = 5 * b", "'1.5'", "path = 'a/b'"])
def test_integer_arithmetic_is_not_a_float(text):
    assert floats(ast.parse(text)) == []


def test_making_and_copying_an_order_is_seen():
    assert orders_made(ast.parse("Order(id=1)\nmodel.Order(id=1)\nreplace(verdict.order, shares=2)")) == [
        1,
        2,
        3,
    ]
    assert orders_made(ast.parse("OrderIntent(order)\nreplace(policy, a=2)\nconvert(body, type=Order)")) == []
