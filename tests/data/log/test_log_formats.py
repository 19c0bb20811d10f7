"""Every form a log may come in reads as the same three columns."""

import gzip
from datetime import date, datetime, timedelta, timezone

import polars as pl
import pytest

from negsample.data.inspection import inspect
from negsample.data.log.read import read_log
from negsample.errors import InputError

BASE = 1_300_000_000  # seconds
ROWS = [("007", "b", BASE), ("7", "a", BASE + 1), ("007", "a", BASE + 2)]
CSV = "user,item,timestamp\n" + "".join(f"{user},{item},{time}\n" for user, item, time in ROWS)
EXPECTED = [(user, item, time * 10**6) for user, item, time in ROWS]


def rows(path, **columns):
    frame = read_log(path, **columns).frame
    schema = frame.collect_schema()
    assert schema.names() == ["user", "item", "time"]
    assert schema["time"] == pl.Int64
    assert all(schema[role] in (pl.Int64, pl.String) for role in ("user", "item"))
    return frame.collect(engine="streaming").rows()


def put(folder, name, content):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.csv", CSV),
        ("log.CSV", CSV),
        ("no-newline.csv", CSV.rstrip("\n")),
        ("crlf.csv", CSV.replace("\n", "\r\n")),
        ("bom.csv", "\ufeff" + CSV),
        ("quoted.csv", CSV.replace("007", '"007"').replace("user", '"user"')),
        ("semicolon.csv", CSV.replace(",", ";")),
        ("pipe.csv", CSV.replace(",", "|")),
        ("tabs.csv", CSV.replace(",", "\t")),
        ("log.tsv", CSV.replace(",", "\t")),
        ("log.txt", CSV.replace(",", "\t")),
        ("log.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("log.tsv.gz", gzip.compress(CSV.replace(",", "\t").encode(), mtime=0)),
        ("blank-lines.csv", CSV.replace("\n7,", "\n\n7,") + "\n\n"),
        ("more-columns.csv", CSV.replace("\n", ",x y\n").replace(",x y", ",rating", 1)),
        ("brackets[1].csv", CSV),
    ],
)
def test_text_formats(tmp_path, name, content):
    assert rows(put(tmp_path, name, content)) == EXPECTED


def test_zstandard(tmp_path):
    path = tmp_path / "log.csv.zst"
    pl.LazyFrame(ROWS, ["user", "item", "timestamp"], orient="row").sink_csv(path, compression="zstd")
    assert rows(path) == EXPECTED


@pytest.mark.parametrize("ending", ["arrow", "parquet"])
def test_brackets_in_the_name_of_a_table_are_no_pattern(tmp_path, ending):
    log, path = pl.DataFrame(ROWS, ["user", "item", "timestamp"], orient="row"), tmp_path / f"log[1].{ending}"
    log.write_ipc(path) if ending == "arrow" else log.write_parquet(path)
    assert rows(path) == EXPECTED


def test_quoted_fields_over_lines_with_delimiters_and_quotes(tmp_path):
    text = f'note,user,item,time\n"a, b",u1,i1,{BASE}\n"two\nlines ""x""",u2,"i,2",{BASE + 1}\n'
    assert rows(put(tmp_path, "log.csv", text)) == [("u1", "i1", BASE * 10**6), ("u2", "i,2", (BASE + 1) * 10**6)]


def test_quotes_without_line_breaks(tmp_path):
    text = f'title,user,item,time\n"the ""a"", b",u1,i1,{BASE}\n"",u2,i2,{BASE + 1}\n'
    assert rows(put(tmp_path, "log.csv", text)) == [("u1", "i1", BASE * 10**6), ("u2", "i2", (BASE + 1) * 10**6)]


def test_names_notes_and_source(tmp_path):
    text = "customerID;StockCode;Invoice_Date\n1;a;2011-12-09\n;b;2011-12-10\n3;;2011-12-11\n"
    log = read_log(put(tmp_path, "my.shop.csv", text))
    assert (log.name, log.source) == ("my.shop", "my.shop.csv")
    assert log.notes == [
        "Fields separated by semicolons.",
        "Guessed from the names: user from column 'customerID', item from column 'StockCode', "
        "time from column 'Invoice_Date'.",
        "Times read as calendar dates, UTC where no zone is given.",
        "2 of 3 rows left out: no user or no item.",
    ]
    assert str(tmp_path) not in " ".join(log.notes)


def test_named_columns_go_before_guessed_ones(tmp_path):
    path = put(tmp_path, "log.csv", f"user,item,time,who,what,at\n1,2,{BASE},w,x,{BASE + 1}\n")
    assert rows(path) == [("1", "2", BASE * 10**6)]
    assert rows(path, user="who", item="what", time="at") == [("w", "x", (BASE + 1) * 10**6)]
    notes = read_log(path, user="who").notes
    assert notes[0] == "Guessed from the names: item from column 'item', time from column 'time'."
    assert notes[1] == "As named: user from column 'who'."


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("timestamp,visitorid,event,itemid,transactionid", "234"),
        ("userId,movieId,rating,timestamp", None),
        ("reviewerID,asin,overall,unixReviewTime", None),
        ("InvoiceNo,StockCode,Quantity,InvoiceDate,CustomerID", None),
        ("user_id,session_id,click_article_id,click_timestamp", None),
        ("SESSION ID,Item-ID,Time Stamp", None),
    ],
)
def test_usual_headers_are_recognised(tmp_path, header, expected):
    width = header.count(",") + 1
    path = put(tmp_path, "log.csv", f"{header}\n{','.join(str(BASE + i) for i in range(width))}\n")
    assert len(rows(path)) == 1


def test_times_beside_a_rows_dropped_for_its_user_do_not_matter(tmp_path):
    assert rows(put(tmp_path, "log.csv", f"user,item,time\n,a,never\n1,b,{BASE}\n")) == [("1", "b", BASE * 10**6)]


MOMENT = 1_323_435_056_123_456  # 2011-12-09T12:50:56.123456Z


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1323435056", 1_323_435_056_000_000),
        ("1323435056.5", 1_323_435_056_500_000),
        (" 1323435056 ", 1_323_435_056_000_000),
        ("1.323435056e9", 1_323_435_056_000_000),
        ("315532800", 315_532_800_000_000),
        ("315532800000", 315_532_800_000_000),
        ("1323435056123", 1_323_435_056_123_000),
        ("1323435056123456", MOMENT),
        ("1323435056123456789", MOMENT),
        ("2011-12-09", 1_323_388_800_000_000),
        ("2011-12-09T12:50:56.123456Z", MOMENT),
        ("2011-12-09T12:50:56.123456789", MOMENT),
        ("2011-12-09 12:50:56.123456", MOMENT),
        ("2011-12-09T14:50:56.123456+02:00", MOMENT),
        ("2011-12-09T07:20:56.123456-0530", MOMENT),
        ("2011-12-09 12:50:56.123456 UTC", MOMENT),
        ("2011-12-09T13:50:56.123456+01", MOMENT),
        ("2011-12-09 12:50", 1_323_435_000_000_000),
        ("2011-12-09 12:50:56.5", 1_323_435_056_500_000),
        ("1980-01-01", 315_532_800_000_000),
        ("2012-02-29", 1_330_473_600_000_000),
    ],
)
def test_times_in_text(tmp_path, text, microseconds):
    assert rows(put(tmp_path, "log.csv", f"user,item,time\n1,2,{text}\n")) == [("1", "2", microseconds)]


def test_the_times_tell_their_unit(tmp_path):
    log = read_log(put(tmp_path, "log.csv", "user,item,time\n1,2,1323435056123\n"))
    assert log.notes[-1] == "Times read as milliseconds since 1970, by their magnitude."


ZONE = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("values", "dtype", "microseconds"),
    [
        ([1_323_435_056], pl.Int32, 1_323_435_056_000_000),
        ([1_323_435_056], pl.UInt64, 1_323_435_056_000_000),
        ([1_323_435_056_123_456_789], pl.Int64, MOMENT),
        ([1_323_435_056.25], pl.Float64, 1_323_435_056_250_000),
        ([date(2011, 12, 9)], pl.Date, 1_323_388_800_000_000),
        ([datetime(2011, 12, 9, 12, 50, 56, 123456)], pl.Datetime("us"), MOMENT),
        ([datetime(2011, 12, 9, 12, 50, 56, 123456)], pl.Datetime("ns"), MOMENT),
        ([datetime(2011, 12, 9, 12, 50, 56)], pl.Datetime("ms"), 1_323_435_056_000_000),
        ([datetime(2011, 12, 9, 14, 50, 56, 123456, ZONE)], pl.Datetime("us", "Europe/Kyiv"), MOMENT),
        (["2011-12-09T12:50:56.123456Z"], pl.String, MOMENT),
        (["1323435056"], pl.String, 1_323_435_056_000_000),
        (["2011-12-09"], pl.Categorical, 1_323_388_800_000_000),
    ],
)
def test_times_in_parquet(tmp_path, values, dtype, microseconds):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user": [1], "item": [2], "time": pl.Series(values, dtype=dtype)}).write_parquet(path)
    assert rows(path) == [(1, 2, microseconds)]


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, None, -3], pl.Int16, [1, -3]),
        ([1.0, float("nan"), 2.0**53], pl.Float64, [1, 2**53]),
        ([1.0, None, 2.0**24], pl.Float32, [1, 2**24]),
        ([1, 2**63 - 1, None], pl.UInt64, [1, 2**63 - 1]),
        ([1, 2**64 - 1, None], pl.UInt64, ["1", str(2**64 - 1)]),
        (["x", " ", "y"], pl.String, ["x", "y"]),
        (["x", None, "y"], pl.Categorical, ["x", "y"]),
        (["x", None, "y"], pl.Enum(["y", "x"]), ["x", "y"]),
    ],
)
def test_ids_in_parquet(tmp_path, values, dtype, expected):
    path = tmp_path / "log.pq"
    frame = pl.DataFrame({"user": pl.Series(values, dtype=dtype), "item": ["a"] * 3, "time": [BASE] * 3})
    frame.write_parquet(path)
    assert [user for user, _, _ in rows(path)] == expected
    assert read_log(path).notes[-1] == "1 of 3 rows left out: no user or no item."


def test_folder_of_text_parts_is_read_by_name(tmp_path):
    folder = tmp_path / "clicks"
    header, *lines = CSV.splitlines()
    for number, line in enumerate(lines):
        put(folder, f"part-{number}.csv", f"{header}\n{line}\n")
    put(folder, "_SUCCESS", "")
    put(folder, ".hidden.csv", "")
    put(folder, "README.md", "about")
    log = read_log(folder)
    assert log.frame.collect().rows() == EXPECTED
    assert (log.name, log.source) == ("clicks", "clicks")
    assert log.notes[0] == "Read from 3 parts, in the order of their names."


@pytest.mark.parametrize(
    ("ending", "write", "empty"),
    [
        ("csv", lambda rows, path: rows.write_csv(path), lambda rows, path: rows.clear().write_csv(path)),
        ("csv", lambda rows, path: rows.write_csv(path), lambda rows, path: path.touch()),
        ("json", lambda rows, path: rows.write_ndjson(path), lambda rows, path: path.touch()),
        ("parquet", lambda rows, path: rows.write_parquet(path), lambda rows, path: rows.clear().write_parquet(path)),
    ],
)
def test_parts_without_rows_are_told_and_not_read(tmp_path, ending, write, empty):
    """As Spark writes them."""
    frame = pl.DataFrame({"user": [1, 2], "item": [3, 4], "time": [BASE, BASE + 1]})
    empty(frame, tmp_path / f"part-0.{ending}")
    write(frame, tmp_path / f"part-1.{ending}")
    empty(frame, tmp_path / f"part-2.{ending}")
    log = read_log(tmp_path)
    assert [int(user) for user in log.frame.collect()["user"]] == [1, 2]
    assert f"Parts without rows: part-0.{ending}, part-2.{ending}." in log.notes
    assert [each for each in inspect(tmp_path).questions if "may be it too" in each] == []  # of a part with rows
    (tmp_path / f"part-1.{ending}").unlink()
    with pytest.raises(InputError, match=rf"part-0.{ending} (is empty|has no rows|has a header but no rows); a log"):
        read_log(tmp_path)


def test_folder_of_parquet_parts_with_integers_of_different_widths(tmp_path):
    for name, dtype in (("b", pl.Int64), ("a", pl.Int32), ("c", pl.Float64)):
        frame = pl.DataFrame({"user": [1], "item": [ord(name)], "time": [BASE]})
        frame.with_columns(pl.col("user").cast(dtype)).write_parquet(tmp_path / f"{name}.parquet")
    assert [item for _, item, _ in rows(tmp_path)] == [97, 98, 99]


def test_large_files_keep_their_order(tmp_path):
    n = 300_000
    frame = pl.DataFrame({"user": pl.int_range(n, eager=True) % 7, "item": pl.int_range(n, eager=True)})
    frame = frame.with_columns(time=pl.lit(BASE), more=pl.lit("some text that makes the file large"))
    frame.write_csv(tmp_path / "log.csv")
    log = read_log(tmp_path / "log.csv")
    assert log.frame.collect(engine="streaming")["item"].cast(pl.Int64).equals(frame["item"])
