"""`pp data` end to end: figures of the recorded tapes worked out anew, and an import that plays like the original."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median_low

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pp_host.backtest.coverage import cover
from pp_host.backtest.intake import import_tape
from pp_host.backtest.tape import Tape, TapeSettings
from pp_host.cli.tapeview import columns_for, draw_tape
from rich.cells import cell_len
from rich.console import Console

PP = Path(sys.executable).with_name("pp")
SHARED = Path(os.environ.get("PP_SHARED", Path(__file__).parents[3] / "shared")) / "data/tapes"
NAMES = ["btc_bands", "geopolitics"]
MAP = """
[time]
column = "ts"
unit = "ms"
[market]
column = "market_id"
[outcome]
column = "outcome"
[price]
column = "price"
scale = "dollars"
"""
FACTS = """
[facts]
file = "markets.csv"
market_id = "market_id"
unit = "ms"
scale = "dollars"
""" + "".join(
    f'{name} = "{name}"\n'
    for name in (
        *("event_id", "question", "outcome_0", "outcome_1"),
        *("start_ts", "nominal_end_ts", "close_ts", "resolved_ts", "resolved_yes_price"),
    )
)
MAIN = "from pp_host.cli.main import main; sys.exit(main(sys.argv[1:]))"
GOOD = "ts,market_id,outcome,price\n1761926400000,a,Yes,0.25\n1761926460000,a,No,0.75\n1761926640000,b,Yes,\n"


def pp(*words, **environment):
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [PP, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=kept | environment,
    )


def told(*words):
    done = pp(*words, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.fixture(params=NAMES)
def recorded(request):
    folder = SHARED / request.param
    if not folder.is_dir():
        pytest.skip("the recorded tapes are not here")
    return folder


@pytest.fixture
def files(tmp_path):
    """A file of prices and its mapping."""
    (tmp_path / "in.csv").write_text(GOOD)
    (tmp_path / "map.toml").write_text(MAP)
    return tmp_path


# -- figures of the recorded tapes, by another way -----------------------------------------------------------


def steps(times):
    """Distinct times in microseconds, ascending."""
    return pc.multiply(pc.unique(times).sort(), 1_000).to_pylist()


def gaps(moments):
    return [later - earlier for earlier, later in itertools.pairwise(moments)]


def micro(price):
    return None if price is None else round(price * 1_000_000)


def sides(table):
    """The two sides' rows of one market, YES first: these tapes call them so."""
    return [table.filter(pc.equal(table["outcome"], name)) for name in ("Yes", "No")]


def contradiction(yes, no):
    both = yes.join(no, keys="ts", right_suffix="_no", join_type="inner")
    if not len(both):
        return None
    distances = pc.abs(pc.subtract(pc.add(both["price"], both["price_no"]), 1.0))
    return micro(pc.max(distances).as_py())


@pytest.mark.slow
def test_the_figures_of_a_recorded_tape_are_those_that_arrow_finds(recorded):
    found = told("data", "show", recorded)
    prices = pq.read_table(recorded / "prices.parquet", columns=["ts", "market_id", "outcome", "price"])
    markets = {row["market_id"]: row for row in pq.read_table(recorded / "markets.parquet").to_pylist()}
    moments = steps(prices["ts"])
    priced = sorted(pc.unique(prices["market_id"]).to_pylist())
    assert (found["markets"], found["priced"], found["points"]) == (len(markets), len(priced), len(prices))
    assert found["outcomes"] == sum(markets[name]["resolved_yes_price"] is not None for name in priced)
    assert (found["steps"], found["first"], found["last"]) == (len(moments), moments[0], moments[-1])
    assert found["usual_step"] == median_low(gaps(moments))
    assert [gap["length"] for gap in found["gaps"]] == sorted(gaps(moments), reverse=True)[:5]
    for gap in found["gaps"]:
        assert moments[moments.index(gap["from"]) + 1] == gap["to"] == gap["from"] + gap["length"]
    assert [market["market"] for market in found["by_market"]] == priced
    for market in found["by_market"][:60]:
        check_market(market, prices, markets[market["market"]], len(moments))


def check_market(market, prices, row, of):
    mine = prices.filter(pc.equal(prices["market_id"], market["market"])).drop(["market_id"])
    yes, no = sides(mine)
    moments = steps(mine["ts"])
    assert (market["yes_points"], market["no_points"]) == (len(yes), len(no))
    assert (market["steps"], market["first"], market["last"]) == (len(moments), moments[0], moments[-1])
    assert market["share"] == len(moments) * 1_000_000 // of
    assert market["largest_gap"]["length"] == max(gaps(moments))
    last = [side.sort_by("ts")["price"][-1].as_py() if len(side) else None for side in (yes, no)]
    assert [market["yes_price"], market["no_price"]] == [micro(price) for price in last]
    assert market["outcome"] == micro(row["resolved_yes_price"])
    assert (market["event"], market["question"]) == (row["event_id"], row["question"])
    assert market["contradiction"] == contradiction(yes, no)


def test_a_recorded_tape_is_shown_within_a_terminal(recorded):
    done = pp("data", "show", recorded)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 160
    assert len(lines) < 200
    assert any(line.startswith("When priced, ") for line in lines)


def test_the_recorded_tapes_are_listed(tmp_path):
    if not SHARED.is_dir():
        pytest.skip("the recorded tapes are not here")
    found = told("data", "list", SHARED)["tapes"]
    assert [(each["name"], each["problem"]) for each in found] == [(name, None) for name in NAMES]


# -- an import -----------------------------------------------------------------------------------------------


def write_csv(table, path):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, table.column_names)
        writer.writeheader()
        writer.writerows(table.to_pylist())


@pytest.mark.slow
@pytest.mark.parametrize("cycles", [300, 1_000])
def test_an_import_of_a_recorded_tape_plays_like_the_original(tmp_path, cycles):
    original = SHARED / "geopolitics"
    if not original.is_dir():
        pytest.skip("the recorded tapes are not here")
    for name in ("prices", "markets"):
        write_csv(pq.read_table(original / f"{name}.parquet"), tmp_path / f"{name}.csv")
    (tmp_path / "map.toml").write_text(MAP + FACTS)
    made = told("data", "import", tmp_path / "prices.csv", tmp_path / "tape", "--map", tmp_path / "map.toml")
    assert (made["markets"], made["priced"], made["outcomes"], made["steps"]) == (200, 27, 9, 12_865)
    assert made["files"][0] == {
        "file": f"{tmp_path}/prices.csv", "rows": 32_849, "points": 32_849, "books": 0, "dropped": 0, "rounded": 0,
    }  # fmt: skip
    recorded = pq.read_table(original / "prices.parquet", columns=["ts", "market_id", "outcome", "price"])
    order = [("ts", "ascending"), ("market_id", "ascending"), ("outcome", "descending")]
    assert pq.read_table(tmp_path / "tape" / "prices.parquet").equals(recorded.sort_by(order))
    shown = [told("data", "show", folder) for folder in (original, tmp_path / "tape")]
    assert [each.pop("digest") == made["digest"] for each in shown] == [False, True]
    assert shown[0] == shown[1]
    assert pp("init", tmp_path / "home").returncode == 0
    played = [
        told("run", "--tape", folder, "--cycles", cycles, "--seed", 7, "--home", tmp_path / "home")
        for folder in (original, tmp_path / "tape")
    ]
    assert played[0]["actions_digest"] == played[1]["actions_digest"]
    assert played[0]["decisions"] == played[1]["decisions"]
    assert played[1]["tape_digest"] == made["digest"]
    assert cycles == 300 or played[0]["fills"] > 0


def test_an_import_tells_what_was_read_dropped_and_written(files):
    done = pp("data", "import", files / "in.csv", files / "tape", "--map", files / "map.toml")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == (
        f"read {files}/in.csv: 3 rows, 2 prices kept, 1 null dropped, 0 rounded to a micro-dollar"
    )
    assert lines[1] == (
        f"tape made: {files}/tape: 2 prices at 2 steps, 2 markets, 1 priced, 0 of them with an outcome"
    )
    assert lines[2:4] == ["from     2025-10-31 16:00:00Z", "to       2025-10-31 16:01:00Z"]


def test_an_import_that_is_refused_is_one_line_and_leaves_nothing(files):
    (files / "in.csv").write_text(GOOD + "x,a,Yes,0.5\n")
    before = sorted(files.iterdir())
    done = pp("data", "import", files / "in.csv", files / "tape", "--map", files / "map.toml")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"pp: error: {files}/in.csv: column ts, row 3: 'x' is not a number\n"
        "pp: hint: digits, at most one point, no thousands mark\n"
    )
    assert sorted(files.iterdir()) == before


def test_a_disk_that_is_full_leaves_nothing(files):
    before = sorted(files.iterdir())
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100));" + MAIN
    words = ["data", "import", files / "in.csv", files / "tape", "--map", files / "map.toml"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"pp: error: {files}/.tape.import/markets.parquet: cannot be written: File too large\n"
        "pp: hint: make room there, or name another place\n"
    )
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize("words", [["in.csv", "tape"], ["tape", "--map", "map.toml"]])
def test_an_import_without_a_mapping_or_a_file_is_a_usage_error(files, words):
    done = pp("data", "import", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("pp: error: Missing ")


# -- recorded books ------------------------------------------------------------------------------------------

BOOK_MAP = MAP.replace(
    'column = "price"', 'level = "l"\nbid = "b"\nask = "a"\nbid_size = "bs"\nask_size = "as"'
)
BOOK_LINES = """ts,market_id,outcome,l,b,bs,a,as
1761926400000,a,Yes,0,0.30,5.5,0.31,7
1761926400000,a,Yes,1,0.29,100,,
1761926460000,a,Yes,0,0.30,5.5,0.33,0.0000019
1761926520000,a,No,0,,,,0
1761926640000,a,Yes,0,0.30,5.5,,
"""


@pytest.fixture
def booked(files):
    (files / "in.csv").write_text(BOOK_LINES)
    (files / "map.toml").write_text(BOOK_MAP)
    return files


def test_books_are_imported_shown_listed_and_played(booked):
    words = ["data", "import", booked / "in.csv", booked / "tape", "--map", booked / "map.toml"]
    made = told(*words)
    assert (made["books"], made["points"], made["steps"]) == (4, 0, 4)
    assert made["files"][0] == {
        "file": f"{booked}/in.csv", "rows": 5, "points": 0, "books": 4, "dropped": 0, "rounded": 1,
    }  # fmt: skip
    names = ("markets", "prices", "books")
    summed = subprocess.run(
        ["sha256sum"], check=True, capture_output=True,
        input=b"".join((booked / "tape" / f"{name}.parquet").read_bytes() for name in names),
    )  # fmt: skip
    assert made["digest"] == summed.stdout.decode().split()[0]
    shown = told("data", "show", booked / "tape")
    minute = 60_000_000
    gaps = [(gap["from"] - shown["first"], gap["length"]) for gap in shown["books"].pop("gaps")]
    assert gaps == [(2 * minute, 2 * minute), (0, minute), (minute, minute)]
    assert shown["books"] == {
        "yes_books": 3, "no_books": 1, "one_sided": 2, "levels": 2, "steps": 4, "share": 1_000_000,
        "spread_median": 10_000, "spread_90": 30_000,
    }  # fmt: skip
    assert shown["by_market"][0]["books"]["yes_books"] == 3
    (listed,) = told("data", "list", booked)["tapes"]
    assert (listed["booked"], listed["books"]["spread_90"], listed["problem"]) == (1, 30_000, None)
    assert pp("init", booked / "home").returncode == 0
    played = told("run", "--tape", booked / "tape", "--home", booked / "home")
    assert (played["steps"], played["markets"], played["tape_digest"]) == (4, 1, made["digest"])


def test_books_are_told_to_a_person(booked):
    words = ["data", "import", booked / "in.csv", booked / "tape", "--map", booked / "map.toml"]
    lines = pp(*words).stdout.splitlines()
    assert lines[:2] == [
        f"read {booked}/in.csv: 5 rows, 4 books kept, 0 empty levels dropped, 1 sizes rounded to a micro-share",
        f"tape made: {booked}/tape: 4 books at 4 steps, 1 markets, 1 priced, 0 of them with an outcome",
    ]
    shown = pp("data", "show", booked / "tape").stdout.splitlines()
    figures = (
        "3 + 1 at 4 steps (100.00 %), spread 0.01 (median), 0.03 (90 %), 2 one-sided or empty, up to 2 levels"
    )
    assert f"books    {figures}, of 1 markets" in shown
    assert [line for line in shown if line.startswith("When ")] == [
        f"{what}, 2025-10-31 16:00:00Z to 2025-10-31 16:04:00Z; · the tape goes on without it"
        for what in ("When priced or booked", "When a book was recorded")
    ]
    assert shown[-1] == "a  █▄ ▄"
    assert f"books: tape: {figures}" in pp("data", "list", booked).stdout.splitlines()


def test_a_crossed_book_is_one_line_and_leaves_nothing(booked):
    (booked / "in.csv").write_text(BOOK_LINES + "1761926700000,a,Yes,0,0.31,1,0.31,1\n")
    before = sorted(booked.iterdir())
    done = pp("data", "import", booked / "in.csv", booked / "tape", "--map", booked / "map.toml")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"pp: error: {booked}/in.csv: column b, row 5: crossed: bid 310000 micro-USD, ask 310000\n"
        "pp: hint: a book's best bid is below its best ask\n"
    )
    assert sorted(booked.iterdir()) == before


def test_a_recorded_book_message_becomes_a_tape_that_shows_it(booked):
    """The venue's own message; it lists the best level last, and more levels than a row of the table has."""
    message = SHARED.parent / "polymarket_recorded" / "ws_market" / "it_book.json"
    if not message.is_file():
        pytest.skip("the recorded messages are not here")
    book = json.loads(message.read_text())
    sides = [[(each["price"], each["size"]) for each in book[side]][::-1][:20] for side in ("bids", "asks")]
    lines = [
        ",".join([book["timestamp"], book["market"], "Yes", str(level), *bid, *ask])
        for level, (bid, ask) in enumerate(zip(*sides, strict=True))
    ]
    (booked / "in.csv").write_text("\n".join([BOOK_LINES.splitlines()[0], *lines]))
    made = told("data", "import", booked / "in.csv", booked / "tape", "--map", booked / "map.toml")
    assert (made["books"], made["steps"], made["files"][0]["rounded"]) == (1, 1, 0)
    tape = Tape.open(booked / "tape", TapeSettings(spread_ticks=1, depth=1, tick=1_000))
    (row,) = tape.table_at(int(book["timestamp"]) * 1_000)
    for name, side in zip(("bid", "ask"), sides, strict=True):
        expected = tuple((round(float(price) * 10**6), round(float(size) * 10**6)) for price, size in side)
        assert row.book("yes", name) == expected
    assert pp("init", booked / "home").returncode == 0
    assert told("run", "--tape", booked / "tape", "--home", booked / "home")["steps"] == 1


# -- small tapes ---------------------------------------------------------------------------------------------


@pytest.fixture
def small(files):
    told("data", "import", files / "in.csv", files / "tape", "--map", files / "map.toml")
    return files / "tape"


def test_one_market_is_shown_line_by_line(small):
    lines = pp("data", "show", small, "--market", "a").stdout.splitlines()
    assert [line for line in lines if line.startswith("largest gap ")] == ["largest gap  0:01:00"]
    assert [line for line in lines if line.startswith("last price ")] == ["last price   0.25 / 0.75"]
    assert lines[-1] == "a  ██"


def test_a_market_that_is_not_there_is_an_error(small):
    done = pp("data", "show", small, "--market", "z")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"pp: error: {small}: no market z\npp: hint: ")


def test_strangers_text_is_escaped(files):
    (files / "in.csv").write_text("ts,market_id,outcome,price\n1,a\x1b[2J\u202e,Yes,0.5\n")
    told("data", "import", files / "in.csv", files / "tape", "--map", files / "map.toml")
    shown = pp("data", "show", files / "tape").stdout
    assert "a\\x1b[2J\\u202e" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert pp("data", "show", files / "tape", "--json").stdout.isascii()


@pytest.mark.parametrize("width", [20, 60, 80, 139, 140, 400])
@pytest.mark.parametrize("name", ["m", "a-long-name-of-a-market-that-is-cut", "\u5e02\u5834" * 20])
def test_a_tape_is_drawn_no_wider_than_the_terminal(files, width, name):
    rows = [f"{1761926400000 + at * 60_000},{name}{at % 7},Yes,0.5" for at in range(500) if at % 100 < 60]
    (files / "in.csv").write_text("\n".join([GOOD.splitlines()[0], *rows]))
    import_tape([files / "in.csv"], files / "map.toml", files / "tape", lambda path, read: None)
    console = Console(width=width, file=io.StringIO(), highlight=False, emoji=False, markup=False)
    draw_tape(console, cover(files / "tape", columns=columns_for(width)))
    lines = console.file.getvalue().splitlines()
    pictures = lines[-7:]
    assert max(map(cell_len, pictures)) <= width
    assert all("█" in line and ("  " in line.rstrip() or width < 60) for line in pictures)


def test_a_broken_tape_is_listed_with_what_is_wrong(small):
    (small / "markets.parquet").unlink()
    (only,) = told("data", "list", small.parent)["tapes"]
    assert (only["name"], only["problem"]) == ("tape", "markets.parquet: No such file or directory")
    assert only["digest"] is None
    lines = pp("data", "list", small.parent).stdout.splitlines()
    assert lines[-1] == f"broken: {small}: markets.parquet: No such file or directory"


def test_without_a_folder_the_tapes_of_the_home_are_listed(files, tmp_path):
    home = tmp_path / "home"
    assert pp("init", home).returncode == 0
    assert told("data", "list", "--home", home) == {"tapes": []}
    (home / "tapes").mkdir()
    told("data", "import", files / "in.csv", home / "tapes" / "mine", "--map", files / "map.toml")
    assert [each["name"] for each in told("data", "list", "--home", home)["tapes"]] == ["mine"]


def test_without_a_folder_and_a_home_the_remedy_is_a_folder(tmp_path):
    done = pp("data", "list", "--home", tmp_path / "none")
    assert done.returncode == 1
    assert done.stderr.endswith(
        "pp: hint: pp data list DIR looks below DIR; without DIR it looks into the home\n"
    )


def test_without_pyarrow_the_remedy_is_told(small, tmp_path):
    """As where the extra was left out."""
    hide = "import sys; sys.modules['pyarrow'] = None;" + MAIN
    for words in (["show", small], ["list", small], ["import", "a.csv", tmp_path / "out", "--map", "m.toml"]):
        done = subprocess.run(
            [sys.executable, "-c", hide, "data", *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr == (
            "pp: error: playing a tape needs pyarrow, which is not installed\n"
            "pp: hint: set up with `make setup`, which installs pyarrow\n"
        )
