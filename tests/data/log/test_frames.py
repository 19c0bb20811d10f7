"""A DataFrame is a log as a file is: the same rows, the same checks, the same messages."""

from datetime import UTC, datetime

import pandas as pd
import polars as pl
import pytest

from negsample.data.log.read import read_log
from negsample.errors import InputError

BASE = 1_396_310_400
COLUMNS = {
    "user_id": [1, 2, None],
    "item": ["a", "b", "c"],
    "when": [BASE, BASE + 1, BASE + 2],
    "more": [1.5, 2.5, 3.5],
}
KINDS = {
    "Polars": pl.DataFrame,
    "lazy": pl.LazyFrame,
    "pandas": pd.DataFrame,
    "Arrow": lambda columns: pl.DataFrame(columns).to_arrow(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_frame_reads_as_a_file(tmp_path, kind):
    frame = KINDS[kind](COLUMNS)
    log = read_log(frame, time="when")
    pl.DataFrame(COLUMNS).write_parquet(tmp_path / "log.parquet")
    file = read_log(tmp_path / "log.parquet", time="when")
    assert (
        log.frame.collect().rows()
        == file.frame.collect().rows()
        == [(1, "a", BASE * 10**6), (2, "b", BASE * 10**6 + 10**6)]
    )
    assert log.notes == file.notes
    assert log.notes[-1] == "1 of 3 rows left out: no user or no item."
    assert (log.name, log.source) == ("log", type(frame).__name__)
    assert read_log(frame, time="when", name="../shop").name == "_shop"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"user_id": [1.0, 2.5, 3.0]}, "row 2: user in column 'user_id' is 2.5; an id is text or a whole number"),
        ({"when": [BASE, 5, BASE]}, "row 2: time in column 'when' is 5, as seconds since 1970 1970-01-01"),
        ({"when": [BASE, BASE * 1000, BASE]}, "row 2, where column 'when' is 1396310400000, holds milliseconds"),
        ({"item": ["NA", "null", "-"]}, "3 rows say that it is missing, as"),
        ({"item": ["a\n", "c\nd", "b"]}, "row 2: item in column 'item' is 'c\\nd'; an id holds no line break"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(kind, change, words):
    frame = KINDS[kind](COLUMNS | change)
    with pytest.raises(InputError) as caught:
        read_log(frame, time="when")
    assert words in str(caught.value)
    assert type(frame).__name__ in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_are_not_there(kind):
    with pytest.raises(InputError, match=r"Frame|Table has no column that looks like the time .*--time COL"):
        read_log(KINDS[kind](COLUMNS))
    with pytest.raises(
        InputError, match=r"has no column 'at' for the time; its columns are: user_id, item, when, more"
    ):
        read_log(KINDS[kind](COLUMNS), time="at")


def test_frames_that_are_none():
    with pytest.raises(InputError, match="DataFrame has no rows; a log needs one row for each event"):
        read_log(pl.DataFrame(COLUMNS).clear())
    with pytest.raises(InputError, match=r"LazyFrame cannot be read .*; check the query that makes the frame"):
        read_log(pl.DataFrame(COLUMNS).lazy().select("colour"))
    mixed = pd.DataFrame({"user": [1, 2, 3], "item": [22138, "85123A", None], "time": [BASE] * 3})
    with pytest.raises(InputError, match=r"column 'item' of the DataFrame .*; give it one type, as by frame\['item'\]"):
        read_log(mixed)
    assert read_log(mixed.astype({"item": str})).frame.collect()["item"].to_list()[:2] == ["22138", "85123A"]
    with pytest.raises(InputError, match=r"the DataFrame cannot be read .*; give user, item and time as plain columns"):
        read_log(mixed.set_axis(["user", "item", "item"], axis=1))


def test_an_index_with_a_name_is_a_column():
    frame = pd.DataFrame({"user": [1, 2], "item": [3, 4], "time": [BASE, BASE + 1]})
    expected = read_log(frame).frame.collect()
    for index in ("time", ["user", "time"], ["item", "user", "time"]):
        assert read_log(frame.set_index(index)).frame.collect().equals(expected)
    assert read_log(frame.set_index("time", drop=False)).frame.collect().equals(expected)
    for bad in (COLUMNS, 7, True, [COLUMNS], object()):
        with pytest.raises(InputError, match=r"a log is a file, a folder of files, or a DataFrame .*; got a "):
            read_log(bad)


def test_what_pandas_makes_of_a_file(tmp_path):
    """Ids with a gap become floats, dates get a zone, text becomes a category."""
    frame = pd.DataFrame({"user": [1.0, None, 3.0], "item": pd.Categorical(["x", "y", "x"])})
    frame["time"] = pd.to_datetime(["2014-04-01 02:00+02:00"] * 3, utc=True)
    moment = int(datetime(2014, 4, 1, tzinfo=UTC).timestamp()) * 10**6
    assert read_log(frame).frame.collect().rows() == [(1, "x", moment), (3, "x", moment)]
    frame.index = [7, 7, 7]
    assert len(read_log(frame).frame.collect()) == 2
