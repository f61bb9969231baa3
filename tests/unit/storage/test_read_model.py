"""The read models say what the record says, however often and in however many steps they are brought up to it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pp_host.errors import OperatorError
from pp_host.storage.read_model import ReadModel, Told
from sqlalchemy import event

ACCOUNT = {"account": "paper"}
ORDER = {**ACCOUNT, "plugin": "p", "market": "m", "outcome": "yes", "limit_price": 500_000}


def fill(trade: str, side: str, shares: int, amount: int) -> dict[str, Any]:
    return {
        **ORDER,
        "trade": trade,
        "order": "o1",
        "side": side,
        "shares": shares,
        "price": 500_000,
        "amount": amount,
        "fee": 3,
    }


STORY = [
    ("run.start", {**ACCOUNT, "mode": "paper"}),
    ("observation", {**ACCOUNT, "equity": 1000, "cash": 900}),
    ("order.intent", {**ORDER, "order": "o1", "side": "buy", "shares": 300}),
    ("order.ack", {**ACCOUNT, "order": "o1"}),
    ("order.fill", fill("t1", "buy", 100, 50)),
    ("order.fill", fill("t2", "buy", 200, 101)),
    ("order.fill", fill("t1", "buy", 100, 50)),
    ("order.done", {**ACCOUNT, "order": "o1", "status": "filled"}),
    ("order.fill", fill("t3", "sell", 100, 60)),
    ("observation", {**ACCOUNT, "equity": 1100, "cash": 800}),
    ("run.end", {}),
]
TOLD = [
    Told(seq, event, "r1", f"2026-01-01T00:00:{seq:02}.000000Z", subject)
    for seq, (event, subject) in enumerate(STORY)
]


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ReadModel]:
    opened = ReadModel(tmp_path / "read.db")
    yield opened
    opened.close()


def test_the_story_is_told_back(model: ReadModel) -> None:
    model.catch_up(TOLD)
    summary = model.summary()
    assert (summary["orders"], summary["fills"]) == (1, 3)
    last = summary["last_run"]
    assert (last["run"], last["mode"], last["equity"], last["cash"], bool(last["ended"])) == (
        "r1",
        "paper",
        1100,
        800,
        True,
    )
    (position,) = summary["positions"]
    assert (position["shares"], position["cost"]) == (200, 151 - 151 * 100 // 300)


@pytest.mark.parametrize("cut", range(len(TOLD) + 1))
def test_in_two_steps_or_twice_it_is_the_same(model: ReadModel, cut: int) -> None:
    model.catch_up(TOLD[:cut])
    assert model.next_seq == cut
    model.catch_up(TOLD)
    model.catch_up(TOLD)
    assert model.next_seq == len(TOLD)
    assert model.summary()["positions"][0]["shares"] == 200
    assert model.summary()["fills"] == 3


@pytest.mark.parametrize(
    ("event", "subject", "state"),
    [
        ("order.ack", {}, "acknowledged"),
        ("order.in_doubt", {}, "in_doubt"),
        ("order.void", {}, "void"),
        ("order.done", {"status": "filled"}, "filled"),
        ("order.done", {"status": "rejected"}, "rejected"),
    ],
)
def test_an_order_shows_what_became_of_it(
    model: ReadModel, tmp_path: Path, event: str, subject: dict[str, Any], state: str
) -> None:
    told = Told(3, event, "r1", "2026-01-01T00:00:03.000000Z", {**ACCOUNT, "order": "o1", **subject})
    model.catch_up([*TOLD[:3], told])
    with closing(sqlite3.connect(tmp_path / "read.db")) as database:
        assert database.execute("SELECT state FROM orderrow").fetchall() == [(state,)]


def test_a_settled_market_leaves_no_position(model: ReadModel) -> None:
    end = Told(len(TOLD), "settlement", "r1", "2026-01-01T00:01:00.000000Z", {**ACCOUNT, "market": "m"})
    model.catch_up([*TOLD, end])
    assert model.summary()["positions"] == []


def test_a_file_of_another_schema_is_built_anew(tmp_path: Path) -> None:
    path = tmp_path / "read.db"
    first = ReadModel(path)
    first.catch_up(TOLD)
    first.close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE progress SET schema_version = 0")
    again = ReadModel(path)
    assert again.next_seq == 0
    again.catch_up(TOLD)
    assert again.summary()["fills"] == 3
    again.close()


def test_a_file_of_a_schema_with_other_columns_is_built_anew(tmp_path: Path) -> None:
    path = tmp_path / "read.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "CREATE TABLE progress (id INTEGER PRIMARY KEY, schema_version INTEGER, next_seq INTEGER)"
        )
        database.execute("INSERT INTO progress VALUES (0, 2, 7)")
        database.execute("CREATE TABLE orderrow (order_id TEXT PRIMARY KEY)")
    model = ReadModel(path)
    assert model.next_seq == 0
    model.catch_up(TOLD)
    assert model.summary()["orders"] == 1
    model.close()


def test_a_stretch_beyond_the_end_of_the_tables_is_not_applied(model: ReadModel) -> None:
    model.catch_up(TOLD[4:], first=4, stop=len(TOLD))
    assert model.next_seq == 0
    model.catch_up(TOLD[:4], first=0, stop=4)
    model.catch_up(TOLD[4:], first=4, stop=len(TOLD) + 5)
    assert model.next_seq == len(TOLD) + 5
    assert model.summary()["fills"] == 3


def test_who_comes_late_finds_it_done(tmp_path: Path) -> None:
    first, second = ReadModel(tmp_path / "read.db"), ReadModel(tmp_path / "read.db")
    for model in (first, second):
        model.catch_up(TOLD, first=0, stop=len(TOLD))
    assert first.summary() == second.summary()
    assert second.summary()["positions"][0]["shares"] == 200
    first.close()
    second.close()


@pytest.mark.parametrize("garbage", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 8192])
def test_garbage_is_built_anew(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "read.db").write_bytes(garbage)
    model = ReadModel(tmp_path / "read.db")
    model.catch_up(TOLD)
    assert model.summary()["fills"] == 3
    model.close()


def test_a_folder_or_a_database_of_strange_tables_is_an_operators_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OperatorError, match=r"folder: not a regular file"):
        ReadModel(tmp_path / "folder")
    with closing(sqlite3.connect(tmp_path / "read.db")) as database:
        database.execute("CREATE TABLE progress (strange)")
    with pytest.raises(OperatorError, match=r"read\.db: cannot be used: no such column"):
        ReadModel(tmp_path / "read.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_an_operators_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OperatorError, match="unable to open database file"):
            ReadModel(tmp_path / "read.db")
    finally:
        tmp_path.chmod(0o700)


def test_a_full_disk_is_an_operators_error(model: ReadModel) -> None:
    @event.listens_for(model._engine, "connect")
    def narrow(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    many = [Told(seq, *STORY[0][:1], f"run {seq}", "t", dict(STORY[0][1])) for seq in range(2000)]
    model._engine.dispose()
    with pytest.raises(OperatorError, match="database or disk is full"):
        model.catch_up(many)


def test_a_percent_sign_is_part_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "a%41b").mkdir()
    ReadModel(tmp_path / "a%41b" / "read.db").close()
    assert (tmp_path / "a%41b" / "read.db").is_file()
