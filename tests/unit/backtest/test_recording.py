"""Each way a tape can be wrong, told once with file, column, row and remedy; its positive twin is `good`."""

from __future__ import annotations

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pp_host.backtest import columnfile
from pp_host.backtest.tape import Tape
from pp_host.errors import OperatorError

PRICE_COLUMNS = ("ts", "market_id", "outcome", "price")
MARKET_COLUMNS = ("market_id", "event_id", "question", "outcome_0", "outcome_1", "resolved_yes_price",
                  "start_ts", "nominal_end_ts", "close_ts", "resolved_ts")  # fmt: skip
NAN = float("nan")


@pytest.fixture
def good(recording):
    made = recording().market("a").market("b", outcome_0="Up", outcome_1="Down")
    for at in range(3):
        made.point(at, "a", "Yes", 0.25).point(at, "a", "No", 0.75).point(at, "b", "Up", 0.5)
    return made


def test_a_good_recording_opens(good, tape):
    opened = tape(good)
    assert (opened.markets, opened.outcomes, opened.steps) == (2, 0, 3)


@pytest.mark.parametrize("name", ["prices.parquet", "markets.parquet"])
def test_a_missing_file_is_named(good, tmp_path, refused, name):
    folder = good.write(tmp_path / "t")
    (folder / name).unlink()
    assert refused(folder) == (
        f"{name}: No such file or directory",
        "--tape names a folder with prices.parquet and markets.parquet",
    )


def test_a_missing_folder_is_named(tmp_path, refused):
    assert refused(tmp_path / "nowhere")[0] == "markets.parquet: No such file or directory"


@pytest.mark.parametrize("name", ["prices.parquet", "markets.parquet"])
@pytest.mark.parametrize("content", [b"", b"ts,market_id\n1,a\n", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_file_that_is_not_parquet_is_named(good, tmp_path, refused, name, content):
    folder = good.write(tmp_path / "t")
    (folder / name).write_bytes(content)
    message, hint = refused(folder)
    assert message.startswith(f"{name}: not readable as parquet: ")
    assert hint.startswith(f"{name} needs the columns ")


@pytest.mark.parametrize("column", PRICE_COLUMNS)
def test_a_missing_price_column_is_named(good, tmp_path, refused, column):
    del good.price_types[column]
    message, hint = refused(good.write(tmp_path / "t"))
    assert message == f"prices.parquet: column {column}: missing"
    assert hint == (
        "prices.parquet needs the columns ts (int64 (or float64 where some are missing)), "
        "market_id (string), outcome (string), price (float64)"
    )


@pytest.mark.parametrize("column", MARKET_COLUMNS)
def test_a_missing_market_column_is_named(good, tmp_path, refused, column):
    del good.market_types[column]
    assert refused(good.write(tmp_path / "t"))[0] == f"markets.parquet: column {column}: missing"


def test_every_other_column_may_be_missing(good, tape):
    good.market_types = {name: good.market_types[name] for name in MARKET_COLUMNS}
    good.price_types = {name: good.price_types[name] for name in PRICE_COLUMNS}
    assert tape(good).steps == 3


def test_a_column_that_appears_twice_is_named(good, tmp_path, refused):
    folder = good.write(tmp_path / "t")
    table = pq.read_table(folder / "prices.parquet")
    pq.write_table(table.append_column("price", table["price"]), folder / "prices.parquet")
    assert refused(folder)[0] == "prices.parquet: column price: appears twice"


@pytest.mark.parametrize(
    ("column", "kind", "value", "told"),
    [
        ("price", pa.string(), "0.5", "holds string, expected float64"),
        ("price", pa.int64(), 1, "holds int64, expected float64"),
        ("ts", pa.string(), "1761926400000", "holds string, expected int64"),
        ("ts", pa.timestamp("ms"), 1, "holds timestamp[ms], expected int64"),
        ("market_id", pa.int64(), 1, "holds int64, expected string"),
        ("outcome", pa.bool_(), True, "holds bool, expected string"),
        ("outcome", pa.binary(), b"Yes", "holds binary, expected string"),
    ],
)
def test_a_price_column_of_the_wrong_type_is_named(good, tmp_path, refused, column, kind, value, told):
    good.price_types[column] = kind
    for row in good.prices:
        row[column] = value
    assert refused(good.write(tmp_path / "t"))[0].startswith(f"prices.parquet: column {column}: {told}")


@pytest.mark.parametrize("column", MARKET_COLUMNS)
def test_a_market_column_of_the_wrong_type_is_named(good, tmp_path, refused, column):
    good.market_types[column] = pa.list_(pa.int8())
    for row in good.markets:
        row[column] = [1]
    message, _ = refused(good.write(tmp_path / "t"))
    assert message.startswith(f"markets.parquet: column {column}: holds list<element: int8>, expected ")


@pytest.mark.parametrize(
    ("column", "value", "told", "hint"),
    [
        ("price", NAN, "nan is not a price", "prices are dollars per share, from 0 to 1"),
        ("price", None, "no price", "prices are dollars per share, from 0 to 1"),
        ("price", 1.0000001, "1.0000001 is not a price", "prices are dollars per share, from 0 to 1"),
        ("price", -0.0001, "-0.0001 is not a price", "prices are dollars per share, from 0 to 1"),
        ("price", float("inf"), "inf is not a price", "prices are dollars per share, from 0 to 1"),
        ("ts", None, "no time", "times are milliseconds since 1970 UTC"),
        ("ts", -1, "-1 is not a time", "times are milliseconds since 1970 UTC"),
        ("ts", 10**15, "1000000000000000 is not a time", "times are milliseconds since 1970 UTC"),
        ("ts", 1, "earlier than the row before", "sort the file by ts"),
        ("market_id", "z", "'z' is not in markets.parquet", "add its row there"),
        ("market_id", None, "None is not in markets.parquet", "add its row there"),
        ("market_id", "z\x1b[2J\n", "'z\\x1b[2J\\n' is not in markets.parquet", "add its row there"),
        ("outcome", None, "empty", "every row names its market and outcome"),
        ("outcome", "Maybe", "market 'a' has no outcome 'Maybe'", "its outcomes are 'Yes' and 'No'"),
        ("outcome", "yes", "market 'a' has no outcome 'yes'", "its outcomes are 'Yes' and 'No'"),
        ("outcome", "Up", "market 'a' has no outcome 'Up'", "its outcomes are 'Yes' and 'No'"),
    ],
)
def test_a_price_that_cannot_be_is_named_by_its_row(good, tmp_path, refused, column, value, told, hint):
    good.prices[3][column] = value
    assert refused(good.write(tmp_path / "t")) == (f"prices.parquet: column {column}, row 3: {told}", hint)


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("price", 7.0, "7.0 is not a price"),
        ("market_id", "z", "'z' is not in markets.parquet"),
        ("outcome", "Maybe", "market 'a' has no outcome 'Maybe'"),
        ("outcome", None, "empty"),
        ("ts", -1, "-1 is not a time"),
    ],
)
@pytest.mark.parametrize("row_group_size", [1, 4, 100])
@pytest.mark.parametrize("batch_rows", [1, 3, 65_536])
def test_rows_are_counted_across_batches_and_row_groups(
    good, tmp_path, refused, row_group_size, batch_rows, column, value, told, monkeypatch
):
    monkeypatch.setattr(columnfile, "BATCH_ROWS", batch_rows)
    good.prices[7][column] = value
    folder = good.write(tmp_path / "t", row_group_size=row_group_size)
    assert refused(folder)[0] == f"prices.parquet: column {column}, row 7: {told}"


def test_two_prices_of_one_outcome_at_one_time_are_refused(good, tmp_path, refused):
    good.point(2, "a", "No", 0.75)
    assert refused(good.write(tmp_path / "t")) == (
        "prices.parquet: column outcome, row 9: a second price for market 'a' at this time",
        "keep one price per ts, market and outcome",
    )


def test_one_outcome_under_two_names_is_still_one_outcome(good, tmp_path, refused):
    good.point(2, "b", "Yes", 0.5)
    assert refused(good.write(tmp_path / "t"))[0] == (
        "prices.parquet: column outcome, row 9: a second price for market 'b' at this time"
    )


def test_a_tape_without_prices_is_refused(good, tmp_path, refused):
    good.prices.clear()
    assert refused(good.write(tmp_path / "t")) == (
        "prices.parquet: column ts: no rows",
        "a tape needs at least one price, or a book",
    )


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("market_id", None, "empty"),
        ("market_id", "", "empty"),
        ("market_id", "a", "'a' appears twice"),
        ("market_id", "x" * 256, f"longer than 255 bytes: '{'x' * 76}..."),
        ("question", "ä" * 1_001, "longer than 2000 bytes: '"),
        ("outcome_1", "Up", "both outcomes are called 'Up'"),
        ("resolved_yes_price", 1.5, "1.5 is not a price"),
        ("resolved_yes_price", -1.0, "-1.0 is not a price"),
        ("close_ts", -5, "-5 is not a time"),
        ("resolved_ts", 1_761_926_400_000_000, "1761926400000000 is not a time"),
    ],
)
def test_a_market_that_cannot_be_is_named_by_its_row(good, tmp_path, refused, column, value, told):
    good.markets[1][column] = value
    message, hint = refused(good.write(tmp_path / "t"))
    assert message.startswith(f"markets.parquet: column {column}, row 1: {told}")
    assert hint


def test_half_a_millisecond_is_not_a_time(good, tmp_path, refused):
    good.market_types["start_ts"] = pa.float64()
    good.markets[1]["start_ts"] = 1.5
    assert refused(good.write(tmp_path / "t"))[0] == (
        "markets.parquet: column start_ts, row 1: 1.5 is not a time"
    )


@pytest.mark.parametrize("column", ["market_id", "question"])
def test_text_that_is_not_utf8_is_refused(good, tmp_path, refused, column):
    folder = good.write(tmp_path / "t")
    table = pq.read_table(folder / "markets.parquet")
    broken = pa.array([b"\xff\xfe", b"b"], pa.binary()).view(pa.string())
    index = table.schema.get_field_index(column)
    pq.write_table(table.set_column(index, column, broken), folder / "markets.parquet")
    message, hint = refused(folder)
    assert message.startswith(f"markets.parquet: column {column}: unsound near row 0: ")
    assert message.endswith("Invalid UTF8 sequence at string index 0")
    assert hint == "write the file again with valid UTF-8"


def test_unknown_is_not_wrong(recording, tape, ms):
    """Columns without a single value, and null where a source has nothing."""
    made = recording().market("a", event_id=None, question=None, outcome_0=None, outcome_1=None)
    made.point(0, "a", "Yes", 0.5)
    for name in MARKET_COLUMNS[1:]:
        made.market_types[name] = pa.null()
    row = tape(made).table_at(ms(0))[0]
    assert (row.event, row.question, row.yes_name, row.no_name) == ("", "", "Yes", "No")
    assert (row.opened_at, row.ends_at, row.yes_payout) == (None, None, None)


def test_times_and_outcomes_may_be_float64_with_nan_for_unknown(recording, tape, ms):
    """What pandas writes for a column of integers with holes."""
    made = recording()
    for name in ("start_ts", "nominal_end_ts", "close_ts", "resolved_ts"):
        made.market_types[name] = pa.float64()
    made.market("a", start_ts=NAN, nominal_end_ts=float(ms(5) // 1000), close_ts=NAN, resolved_ts=None)
    made.market("b", resolved_yes_price=NAN, close_ts=float(ms(0) // 1000), nominal_end_ts=NAN)
    made.point(0, "a", "Yes", 0.5).point(0, "b", "Yes", 0.5).point(1, "a", "Yes", 0.5)
    opened = tape(made)
    assert opened.outcomes == 0
    a, b = opened.table_at(ms(1))
    assert (a.opened_at, a.ends_at, b.ends_at) == (None, ms(5), None)


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.string())]
)
def test_texts_may_be_large_or_dictionaries(good, tape, kind, ms):
    for types in (good.price_types, good.market_types):
        types.update({name: kind for name, old in types.items() if old == pa.string()})
    assert [row.id for row in tape(good).table_at(ms(0))] == ["a", "b"]


def test_a_null_in_a_dictionary_column_is_found(good, tmp_path, refused):
    good.price_types["outcome"] = pa.dictionary(pa.int8(), pa.string())
    good.prices[5]["outcome"] = None
    assert refused(good.write(tmp_path / "t"))[0] == "prices.parquet: column outcome, row 5: empty"


def test_sides_are_named_by_the_two_outcomes_or_yes_and_no(recording, tape, ms):
    made = (
        recording().market("a", outcome_0="Up", outcome_1="Down").market("b", outcome_0="No", outcome_1="Yes")
    )
    made.market("c", outcome_0="Seahawks", outcome_1="Patriots")
    made.market("d", outcome_0="Perhaps", outcome_1="Yes")
    made.point(0, "a", "Up", 0.2).point(0, "a", "Down", 0.7)
    made.point(0, "b", "Yes", 0.2).point(0, "b", "No", 0.7)
    made.point(0, "c", "Yes", 0.2).point(0, "c", "No", 0.7)
    made.point(0, "d", "Perhaps", 0.2).point(0, "d", "Yes", 0.7)
    rows = list(tape(made).table_at(ms(0)))
    assert [(row.yes_bid, row.no_ask) for row in rows] == [(199_000, 701_000)] * 4
    assert [(row.yes_name, row.no_name) for row in rows] == [
        ("Up", "Down"),
        ("Yes", "No"),
        ("Seahawks", "Patriots"),
        ("Perhaps", "Yes"),
    ]


def test_a_column_name_that_is_not_utf8_is_refused(good, tmp_path, refused):
    folder = good.write(tmp_path / "t")
    clean = (folder / "prices.parquet").read_bytes()
    (folder / "prices.parquet").write_bytes(clean.replace(b"token_id", b"token_\xff\xfe"))
    message, _ = refused(folder)
    assert message.startswith("prices.parquet: not readable as parquet: 'utf-8' codec can't decode")


@pytest.mark.parametrize("name", ["prices.parquet", "markets.parquet"])
def test_a_flipped_byte_is_refused_or_harmless(good, tmp_path, settings, name):
    """Parquet has no checksum here: a flip may pass as other data, but never as another kind of error."""
    folder = good.write(tmp_path / "t")
    clean = (folder / name).read_bytes()
    told = 0
    for position in range(0, len(clean), 17):
        (folder / name).write_bytes(
            clean[:position] + bytes([clean[position] ^ 0x55]) + clean[position + 1 :]
        )
        try:
            for moment in (opened := Tape.open(folder, settings)).moments():
                opened.table_at(moment)
        except OperatorError:
            told += 1
    assert told > 10


def test_the_remedy_for_a_missing_pyarrow_is_ours(good, tmp_path, settings, monkeypatch):
    folder = good.write(tmp_path / "t")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(OperatorError) as caught:
        Tape.open(folder, settings)
    assert str(caught.value) == "playing a tape needs pyarrow, which is not installed"
    assert caught.value.hint == "set up with `make setup`, which installs pyarrow"


@pytest.mark.parametrize("name", ["prices.parquet", "markets.parquet", "books.parquet"])
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(good, tmp_path, refused, name):
    folder = good.write(tmp_path / "t")
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    assert refused(folder)[0] == f"{name}: not a regular file"
