"""No type that crosses the wall has a field that could hold a secret."""

from __future__ import annotations

import ast

import pytest

SUSPECT = {
    "secret",
    "password",
    "passphrase",
    "credential",
    "credentials",
    "token",
    "key",
    "apikey",
    "private",
    "mnemonic",
    "cookie",
}


def crosses(name: str) -> bool:
    return name == "pp_sdk/types.py" or name.startswith(("pp_sdk/wire/", "pp_sdk/table/"))


def fields(tree: ast.Module) -> list[str]:
    """Class.field of every annotated field of every class."""
    return [
        f"{node.name}.{line.target.id}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for line in node.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    ]


def suspect(field: str) -> bool:
    return bool(set(field.split(".")[-1].lower().split("_")) & SUSPECT)


def test_no_field_that_crosses_the_wall_is_named_like_a_secret(sdk):
    found = [field for module in sdk if crosses(module.name) for field in fields(module.tree)]
    assert len(found) > 50, "the walk finds the messages at all"
    assert [field for field in found if suspect(field)] == []


@pytest.mark.parametrize("name", ["api_key", "secret", "wallet_private", "session_token"])
def test_a_planted_secret_is_seen(name):
    assert [
        suspect(field) for field in fields(ast.parse(f"class Hello:\n    {name}: str\n    version: int"))
    ] == [True, False]
