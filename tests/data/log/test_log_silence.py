"""What a log has that would change its events in silence is refused, or told with a count and the way out."""

import numpy as np
import polars as pl
import pytest

from negsample.data.log.read import read_log
from negsample.data.split import split_by_time
from negsample.errors import InputError

BASE = 1_396_310_400
EVENTS = [(str(1 + 7 * n % 5), str(1 + n % 4), BASE + 1000 * n) for n in range(60)]
HEADER = "user,item,time\n"


def put(folder, name, lines, header=HEADER):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((header + "".join(lines)).encode())
    return path


def lines_of(events=EVENTS, delimiter=","):
    return [delimiter.join(map(str, event)) + "\n" for event in events]


def refusal(path, **options):
    with pytest.raises(InputError) as caught:
        read_log(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def events(path, **options):
    return [(u, i, t // 10**6) for u, i, t in read_log(path, **options).frame.collect().rows()]


@pytest.mark.parametrize(
    "word", ["NA", "n/a", "#N/A", "<NA>", "NULL", "null", "nan", "NaN", "NaT", "None", "none", "\\N", "-", "undefined"]
)
def test_text_that_says_missing_is_no_user_and_no_item(tmp_path, word):
    lines = lines_of()
    lines[3], lines[8] = f"{word},2,{BASE}\n", f"2, {word} ,{BASE}\n"
    path = put(tmp_path, "log.csv", lines)
    assert events(path) == [event for n, event in enumerate(EVENTS) if n not in (3, 8)]
    note = read_log(path).notes[-1]
    assert note.startswith("2 of 60 rows left out: an id that says 'missing' (in row 4 of log.csv column 'user' is ")
    assert note.endswith("; --keep-missing-ids reads them as ids.")
    assert len(events(path, keep_missing_ids=True)) == 60
    frame = pl.DataFrame(events(path, keep_missing_ids=True), ["user", "item", "time"], orient="row")
    frame.write_parquet(tmp_path / "log.parquet")
    assert events(tmp_path / "log.parquet") == events(path)


def test_blank_ids_are_left_out_and_counted(tmp_path):
    lines = lines_of()
    lines[3], lines[8] = f" ,2,{BASE}\n", f"2,\t ,{BASE}\n"
    path = put(tmp_path, "log.csv", lines)
    assert len(events(path)) == 58
    assert read_log(path).notes[-1] == "2 of 60 rows left out: no user or no item."


def test_a_column_that_says_missing_everywhere_is_named(tmp_path):
    path = put(tmp_path, "log.csv", [f"NA,{i},{t}\n" for _, i, t in EVENTS])
    said = refusal(path)
    assert "60 rows say that it is missing" in said
    assert "row 1 (line 2), where column 'user' is 'NA'" in said
    assert "--user COL" in said


def test_one_row_in_milliseconds(tmp_path):
    lines = lines_of()
    lines[20] = f"1,2,{BASE}000\n"
    said = refusal(put(tmp_path, "log.csv", lines))
    assert said.startswith(f"two units of time in one column: the row {tmp_path / 'log.csv'}, row 21 (line 22), where")
    assert "milliseconds since 1970 as do 1 in all, 59 rows hold seconds" in said


def test_a_part_in_milliseconds(tmp_path):
    put(tmp_path / "log", "a.csv", lines_of(EVENTS[:30]))
    put(tmp_path / "log", "b.csv", lines_of([(u, i, t * 1000) for u, i, t in EVENTS[30:]]))
    said = refusal(tmp_path / "log")
    assert said.startswith(f"parts in different units: times of {tmp_path / 'log' / 'b.csv'} are milliseconds")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("0", "as seconds since 1970 1970-01-01T00:00:00; 1 of 60 times is before 1980 or in the future"),
        ("-1", "1969-12-31T23:59:59; 1 of 60 times"),
        ("20140516", "in 1970: no seconds"),
        ("201405161200", "as milliseconds since 1970 1976-"),
        ("20140516120000", "as milliseconds since 1970 2608-"),
        ("4000000000", "2096-"),
    ],
)
def test_a_number_that_is_no_time(tmp_path, bad, words):
    lines = lines_of()
    lines[20] = f"1,2,{bad}\n"
    said = refusal(put(tmp_path, "log.csv", lines))
    assert f"row 21 (line 22): time in column 'time' is '{bad}', as" in said
    assert words in said


@pytest.mark.parametrize("bad", ["1970-01-01", "2608-01-01", "0001-01-01", "1900-01-01T00:00:00"])
def test_a_date_that_is_no_time(tmp_path, bad):
    lines = [f"{u},{i},2014-05-{1 + n % 28:02}\n" for n, (u, i, _) in enumerate(EVENTS)]
    lines[20] = f"1,2,{bad}\n"
    path = put(tmp_path, "log.csv", lines)
    words = f"row 21 (line 22): time in column 'time' is '{bad}'; 1 of 60 times is before 1980 or in the future"
    assert words in refusal(path)
    frame = pl.read_csv(path, infer_schema=False).with_columns(pl.col("time").str.head(10).str.to_date())
    frame.write_parquet(tmp_path / "log.parquet")
    assert f"row 21: time in column 'time' is '{bad[:10]}'; 1 of 60" in refusal(tmp_path / "log.parquet")


def test_times_with_a_zone_beside_times_without_are_told(tmp_path):
    times = ["2014-05-01T10:00:00", "2014-05-01 12:00:00+02:00", "2014-05-01T10:00:00Z", "2014-05-01"]
    path = put(tmp_path, "log.csv", [f"1,2,{time}\n" for time in times])
    assert [t for *_, t in events(path)][:3] == [1398938400] * 3
    assert "2 of 4 times have a zone; the others are read as UTC, and may be of another zone." in read_log(path).notes
    path = put(tmp_path, "log.csv", [f"1,2,{time}\n" for time in times[1:3]])
    assert not any("zone;" in note for note in read_log(path).notes)


def test_ratings_and_orders_are_no_times(tmp_path):
    ratings = put(tmp_path, "a.csv", [f"{u},{i},{1 + n % 5}\n" for n, (u, i, _) in enumerate(EVENTS)])
    assert "five distinct values between 1 and 5 are no times" in refusal(ratings)
    orders = put(tmp_path, "b.csv", [f"{u},{i},{n}\n" for n, (u, i, _) in enumerate(EVENTS)])
    assert "60 of 60 times are before 1980 or in the future: times in January 1970: no seconds" in refusal(orders)
    assert "an order becomes a time with 1,000,000,000 added" in refusal(orders)


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Float64])
def test_floats_that_lost_their_digits(tmp_path, dtype):
    most = 2**24 if dtype == pl.Float32 else 2**53
    ids = pl.Series([most - 38 + 2 * n for n in range(40)], dtype=pl.Int64)
    path = tmp_path / "log.parquet"
    frame = pl.DataFrame({"user": ids.cast(dtype), "item": [1] * 40, "time": [BASE + n for n in range(40)]})
    frame.write_parquet(path)
    said = refusal(path)
    assert "row 21: user in column 'user' is" in said
    assert (
        f"a {dtype()} holds whole numbers exactly only up to {most:,} (2^{24 if dtype == pl.Float32 else 53})" in said
    )
    frame.head(20).write_parquet(path)
    assert [user for user, *_ in events(path)] == ids.head(20).to_list()


def test_times_of_floats_that_lost_their_digits(tmp_path):
    path = tmp_path / "log.parquet"
    for dtype, a_second in ((pl.Float32, 1), (pl.Float32, 1000), (pl.Float64, 10**9)):
        times = pl.Series([(BASE + n) * a_second for n in range(40)], dtype=dtype, strict=False)
        pl.DataFrame({"user": [1] * 40, "item": [1] * 40, "time": times}).write_parquet(path)
        assert f"a {dtype()} holds whole numbers exactly only up to" in refusal(path)
    times = pl.Series([BASE + n + 0.25 for n in range(40)])
    pl.DataFrame({"user": [1] * 40, "item": [1] * 40, "time": times}).write_parquet(path)
    assert read_log(path).frame.collect()["time"].to_list() == [(BASE + n) * 10**6 + 250_000 for n in range(40)]


def test_numbers_that_a_spreadsheet_rounded(tmp_path):
    for column, said in ((0, "user in column 'user' is '1.39631E+09'"), (2, "time in column 'time' is '1.39631E+09'")):
        row = ["1", "2", str(BASE)]
        row[column] = "1.39631E+09"
        assert said in refusal(put(tmp_path, "log.csv", [*lines_of(), ",".join(row) + "\n"]))


def test_one_number_in_two_forms_is_told(tmp_path):
    path = put(
        tmp_path, "log.csv", [f"{u}.0,{i},{t}\n" if n < 20 else f"{u},{i},{t}\n" for n, (u, i, t) in enumerate(EVENTS)]
    )
    note = read_log(path).notes[-1]
    assert note.startswith("Ids such as 12 and 12.0 meet in column 'user' (40 and 20 rows)")
    assert "to read them as one, write the column as whole numbers" in note
    put(tmp_path / "parts", "a.csv", lines_of(EVENTS[:20]))
    put(tmp_path / "parts", "b.csv", [f"{u}.0,{i},{t}\n" for u, i, t in EVENTS[20:]])
    assert read_log(tmp_path / "parts").notes[-1].startswith("Ids such as 12 and 12.0 meet in column 'user' (20 and 40")


@pytest.mark.parametrize("mark", ["user", "u 1", "1"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("elsewhere", ["", '"two\nlines"'])
@pytest.mark.parametrize("white", ["\r{}", "{}\r", " {}", "{}\u00a0"])
def test_white_space_around_an_id_is_no_part_of_it_however_it_is_read(
    tmp_path, mark, delimiter, quote, elsewhere, white
):
    """E.g. an id that begins with a carriage return, in a file with semicolons and without quotes."""
    odd = f"{quote}{white.format(mark)}{quote}"
    lines = [delimiter.join([*row, "x"]) + "\n" for row in ([odd, "2", str(BASE)], ["3", odd, str(BASE)])]
    lines.append(delimiter.join(["3", "2", str(BASE), elsewhere or "x"]) + "\n")
    path = put(tmp_path, "log.csv", lines, delimiter.join(["user", "item", "time", "note"]) + "\n")
    assert events(path) == [(mark, "2", BASE), ("3", mark, BASE), ("3", "2", BASE)]


@pytest.mark.parametrize("inside", ["a\rb", "a\x00b", "a\x1bb", "a\u2028b", '"a\nb"', "\x07a"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_control_character_in_an_id_is_refused(tmp_path, inside, delimiter):
    lines = [*lines_of(delimiter=delimiter), f"1{delimiter}{inside}{delimiter}{BASE}\n"]
    said = refusal(put(tmp_path, "log.csv", lines, HEADER.replace(",", delimiter)))
    assert "row 61 (line 62): item in column 'item' is" in said
    assert "control character" in said


def test_two_stray_quotes_swallow_no_rows(tmp_path):
    head = "user\titem\ttime\ttitle\n"
    lines = [line.rstrip() + "\tplain\n" for line in lines_of(delimiter="\t")]
    for first, last in (('"open', '"open'), ('"open', 'close"'), ('"open', '"')):
        for rows in ((10, 40), (10, 11)):
            odd = [
                line.replace("plain", {rows[0]: first, rows[1]: last}.get(n, "plain")) for n, line in enumerate(lines)
            ]
            log = read_log(put(tmp_path, "log.tsv", odd, head))
            assert [(u, i, t // 10**6) for u, i, t in log.frame.collect().rows()] == EVENTS
            assert any("Quotes are read as text" in note for note in log.notes)
    commas = [f"{u},{i},{t},plain\n" for u, i, t in EVENTS]
    commas[10], commas[40] = commas[10].replace("plain", '"open'), commas[40].replace("plain", 'close"')
    assert "row 11 (line 12)" in refusal(put(tmp_path, "log.csv", commas, "user,item,time,title\n"))


@pytest.mark.parametrize("title", ['5" tube, 6" pipe', 'the "best, of" all', '"a" b", c', 'x"y"z" 7, 8"'])
def test_a_quote_that_may_hold_a_delimiter_moves_no_field(tmp_path, title):
    """Read field by field such a row has one more, and what stands behind moves by one."""
    head, usual = "title,user,item,time\n", [f"plain,{u},{i},{t}\n" for u, i, t in EVENTS]
    odd = [line.replace("plain", title) if n == 20 else line for n, line in enumerate(usual)]
    assert "line 22" in refusal(put(tmp_path, "log.csv", odd, head))
    tabs = [line.replace(",", "\t").replace("plain", title.replace(", ", "\t")) for line in usual]
    assert events(put(tmp_path, "log.tsv", tabs, "title\tmore\tuser\titem\ttime\n")) == EVENTS


@pytest.mark.parametrize("title", ['a "best" film', '"the ""best"", of"', 'x"y"', '""', '"a, b"'])
def test_a_quote_that_holds_no_delimiter_is_text(tmp_path, title):
    lines = [f"{title if n % 7 == 0 else 'plain'},{u},{i},{t}\n" for n, (u, i, t) in enumerate(EVENTS)]
    assert events(put(tmp_path, "log.csv", lines, "title,user,item,time\n")) == EVENTS


@pytest.mark.parametrize("over_lines", [True, False])
def test_a_mark_of_the_byte_order_before_a_quote_is_no_field(tmp_path, over_lines):
    note = ["one", '"two\nlines"' if over_lines else '"two"']
    rows = [f'"a, {u}",{i},{t},{note[n == 30]}\n' for n, (u, i, t) in enumerate(EVENTS)]
    numbered = {"user": "1", "item": "2", "time": "3", "no_header": True}
    path = put(tmp_path, "log.csv", rows, header="\ufeff")
    assert events(path, **numbered) == [(f"a, {u}", i, t) for u, i, t in EVENTS]


def test_text_over_several_lines_is_text(tmp_path):
    note = '"Great, 5 stars.\n1, 2, 3\n\nBought in 2014, and again, 2015"'
    lines = [f"{u},{i},{t},{note if n % 7 == 0 else 'ok'}\n" for n, (u, i, t) in enumerate(EVENTS)]
    assert events(put(tmp_path, "log.csv", lines, "user,item,time,note\n")) == EVENTS


@pytest.mark.parametrize("named", [{}, {"user": "5"}, {"user": "5", "item": "12", "time": str(BASE)}])
def test_the_first_line_of_a_file_without_a_header_is_not_lost(tmp_path, named):
    rows = [("5", "12", BASE), *EVENTS]
    said = refusal(put(tmp_path, "log.csv", lines_of(rows), header=""), **named)
    assert "is data and no header; its columns are: 1 '5', 2 '12', 3 '" in said
    assert said.endswith("--no-header --user 1 --item 2 --time 3")
    numbered = {"user": "1", "item": "2", "time": "3", "no_header": True}
    assert events(put(tmp_path, "log.csv", lines_of(rows), header=""), **numbered) == rows
    assert events(put(tmp_path, "log.csv", lines_of(rows), header=HEADER)) == rows


def test_a_header_without_usual_names_needs_them_named(tmp_path):
    path = put(tmp_path, "log.csv", lines_of(), header="who,what,when\n")
    assert "no column that looks like the user" in refusal(path)
    assert events(path, user="who", item="what", time="when") == EVENTS


def test_what_is_not_read_in_a_folder_is_told(tmp_path):
    put(tmp_path / "log", "a.csv", lines_of())
    put(tmp_path / "log", "README.txt", [])
    put(tmp_path / "log", "b.csv.rar", [])
    put(tmp_path / "log" / "2014", "c.csv", lines_of())
    assert "Not read in log: 2014/, README.txt, b.csv.rar." in read_log(tmp_path / "log").notes


@pytest.mark.parametrize("rule", ["timestamp", "paper"])
@pytest.mark.parametrize(
    "times",
    [
        np.array([*range(99), np.nan]),
        np.array([*range(99), np.inf]),
        np.array([*range(99), "NaT"], "datetime64[s]"),
    ],
)
def test_a_row_without_a_time_is_not_put_in_test(rule, times):
    with pytest.raises(InputError, match=r"1 of 100 rows have no time, the first in row 99 \((nan|inf|NaT)\)"):
        split_by_time(times, rule=rule)


def test_a_field_that_is_null_in_all_of_json_is_still_the_column(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text("".join(f'{{"user": {n}, "item": null, "song": "s{n}", "time": {10**9 + n}}}\n' for n in range(9)))
    with pytest.raises(InputError, match="item"):
        read_log(log)
