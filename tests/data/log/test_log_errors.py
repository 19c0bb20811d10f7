"""Every bad input is refused in one clear line: where, what was found, what would be right."""

import gzip

import polars as pl
import pytest

from negsample.data.log.read import read_log
from negsample.errors import InputError


def put(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path, **columns):
    with pytest.raises(InputError) as caught:
        read_log(path, **columns).frame.collect()
    message = str(caught.value)
    assert "\n" not in message
    assert "polars" not in message.lower()
    assert len(message) < 600
    return message


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", "", ["is empty", "names its columns"]),
        ("empty.parquet", "", ["cannot be read"]),
        ("header.csv", "user,item,time\n", ["has a header but no rows"]),
        ("header.tsv", "user\titem\ttime", ["has a header but no rows"]),
        ("blank.csv", "user,item,time\n\n\n", ["has a header but no rows"]),
        ("blank-first.csv", "\nuser,item,time\n1,2,3\n", ["line 1", "blank"]),
        ("log.xlsx", "PK", ["cannot be read", "sheet"]),
        ("log", bytes(range(255, 0, -1)), ["no known ending", ".csv", ".parquet", "--encoding"]),
        ("log.json", "{", ["line 1", "no JSON object"]),
        ("log.json", "[1]", ["element 1 is 1"]),
        ("log.json", '[{"user": 1}', ["no JSON list"]),
        ("log.db", "SQLite format 3", ["cannot be read", "database"]),
        ("log.zip", "PK\x03\x04", ["cannot be read", "archive"]),
        ("log.csv.bz2", "BZh91AY", ["cannot be read"]),
        ("log.csv.xz", b"\xfd7zXZ\0\0", ["cannot be read"]),
        ("text.parquet", "user,item,time\n1,2,3\n", ["cannot be read", "of the format its name says"]),
        ("binary.csv", bytes(range(256)) * 9, ["not UTF-8 text"]),
        ("utf16.csv", "user,item,time\n1,2,3\n".encode("utf-16"), ["not UTF-8 text", "--encoding utf-16"]),
        ("latin.csv", "user,item,time\n1,2,3\n1,caf\xe9,3\n".encode("latin-1"), ["not UTF-8 text", "line 3"]),
        ("cut.csv.gz", gzip.compress(b"user,item,time\n1,2,3\n" * 99, mtime=0)[:-20], ["cannot be read"]),
        ("fake.csv.gz", b"\x1f\x8b but no more", ["fake.csv.gz"]),
        ("short.csv", "user,item,time\n1,2,3\n4,5\n", ["row 2 (line 3)", "2 fields", "header has 3"]),
        ("long.csv", "user,item,time\n1,2,3\n4,5,6\n7,8,9,10\n", ["row 3 (line 4)", "4 fields"]),
        ("long2.csv", "user,item,time,x\n1,2,3,4\n4,5,6,7,8\n", ["row 2 (line 3)", "5 fields"]),
        (
            "late.csv",
            'user,item,time\n"a\nb",2,3\n4,5\n',
            ["row 2 (line 4)", "2 fields", "header has 3"],
        ),
        ("quote.csv", 'user,item,time\n1,"2,3\n4,5,6\n', ["row that starts on line 2", "never closed"]),
        ("quote2.csv", 'user,item,time\n1,2"2,3\n4,5"5,6\n7,8,9\n', ["see the quote on line 2", "doubled"]),
        ("quote3.csv", 'user,item,time\n1,"2"x,3\n4,5,6\n', ["row 1 (line 2)", "'item'", "doubled"]),
        ("nobody.csv", "user,item,time\n,2,3\n4,,6\n", ["no row has a user", "'user'", "'item'"]),
        ("doubles.csv", "user,user,item,time\n1,2,3,4\n", ["2 columns 'user'", "rename"]),
    ],
)
def test_broken_files(tmp_path, name, content, words):
    message = refusal(put(tmp_path, name, content))
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    "bad",
    [
        "yesterday",
        "nan",
        "inf",
        "-inf",
        "1e30",
        "99999999999999999999",
        "2011-12-09",
        "12/1/2010 8:26",
        '""',
        "",
    ],
)
def test_a_time_that_is_no_number(tmp_path, bad):
    path = put(tmp_path, "log.csv", f"user,item,time\n1,2,3\n1,2,{bad}\n1,2,4\n")
    message = refusal(path)
    assert f"{path}, row 2 (line 3): time in column 'time' is " in message
    assert (bad.strip('"') or "empty") in message
    assert "other rows hold numbers" in message
    assert "2011-12-09T12:50:00" in message


@pytest.mark.parametrize(
    "bad",
    [
        "2011-13-09",
        "2011-02-30",
        "2011-12-09T24:00:00",
        "2011-12-09T12:60",
        "2011-12-09T12:50:60",
        "5",
        "2011-12-09T12:5",
    ],
)
def test_a_time_that_is_no_date(tmp_path, bad):
    path = put(tmp_path, "log.csv", f"user,item,time\n1,2,2011-12-09\n1,2,2011-12-10\n1,2,{bad}\n")
    message = refusal(path)
    assert f"row 3 (line 4): time in column 'time' is '{bad}', other rows hold calendar dates" in message


def test_no_time_at_all_is_not_said_to_be_numbers(tmp_path):
    message = refusal(put(tmp_path, "log.csv", "user,item,time\n1,2,x\n"))
    assert "row 1 (line 2): time in column 'time' is 'x'; a time is a number" in message


def test_line_is_counted_over_quoted_line_breaks(tmp_path):
    path = put(tmp_path, "log.csv", 'note,user,item,time\n"a\nb",1,2,3\n"\n\n",1,2,3\nx,1,2,never\n')
    assert "row 3 (line 7)" in refusal(path)


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), 1e300])
def test_bad_times_in_parquet(tmp_path, bad):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user": [1, 1], "item": [1, 1], "time": [5.0, bad]}).write_parquet(path)
    message = refusal(path)
    assert f"{path}, row 2: time in column 'time' is" in message
    assert "line" not in message


@pytest.mark.parametrize(
    ("role", "values", "words"),
    [
        ("user", [1.0, 2.5], ["row 2: user in column 'user' is 2.5", "whole number"]),
        ("item", [1.0, float("inf")], ["row 2: item in column 'item' is inf"]),
        ("item", [1.0, 2.0**60], ["row 2: item", "up to 9,007,199,254,740,992 (2^53)"]),
        ("user", [[1], [2]], ["column 'user'", "List(Int64)", "integer or text"]),
        ("item", [{"a": 1}, {"a": 2}], ["column 'item'", "Struct"]),
        ("user", [True, False], ["column 'user'", "Boolean"]),
        ("time", [[[1]], [[2]]], ["column 'time'", "List(Int64)", "2011-12-09T12:50:00"]),
        ("time", [True, False], ["column 'time'", "Boolean"]),
    ],
)
def test_bad_columns_in_parquet(tmp_path, role, values, words):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user": [1, 2], "item": [1, 2], "time": [10**9, 10**9]} | {role: values}).write_parquet(path)
    message = refusal(path)
    assert all(word in message for word in words), message


def test_parquet_without_rows(tmp_path):
    pl.DataFrame({"user": [1], "item": [1], "time": [1]}).clear().write_parquet(tmp_path / "log.parquet")
    assert "has no rows" in refusal(tmp_path / "log.parquet")


def test_parquet_damaged_inside(tmp_path):
    path = tmp_path / "log.parquet"
    n = 50_000
    pl.DataFrame({"user": range(n), "item": range(n), "time": range(n)}).write_parquet(path)
    content = bytearray(path.read_bytes())
    content[100:5_000] = bytes(4_900)
    path.write_bytes(content)
    assert "cannot be read" in refusal(path)


@pytest.mark.parametrize("role", ["user", "item", "time"])
def test_missing_column(tmp_path, role):
    names = {"user": "user", "item": "item", "time": "time"} | {role: "colour"}
    path = put(tmp_path, "log.csv", ",".join(names.values()) + "\n1,2,3\n")
    message = refusal(path)
    assert f"no column that looks like the {role}" in message
    assert f"its columns are: {', '.join(names.values())}" in message
    assert f"--{role} COL" in message
    message = refusal(path, **{role: "shade"})
    assert f"has no column 'shade' for the {role}; its columns are: {', '.join(names.values())}" in message
    assert f"--{role} COL" in message


def test_all_missing_columns_are_named_at_once(tmp_path):
    path = put(tmp_path, "log.csv", "who,what,time,stars\n1,2,2014-05-16,4\n")
    message = refusal(path)
    assert "no column that looks like the user (usual names: user, userid," in message
    assert "no column that looks like the item (usual names: item, itemid," in message
    assert "like the time" not in message
    assert message.endswith(
        "its columns are: who, what, time, stars; name one of them for each with --user COL --item COL"
    )
    assert message.count("its columns are") == 1
    read_log(path, user="who", item="what").frame.collect()  # the way out


def test_columns_that_are_not_there_are_named_with_those_that_cannot_be_guessed(tmp_path):
    path = put(tmp_path, "log.csv", "who,what,when,stars\n1,2,2014-05-16,4\n")
    message = refusal(path, item="thing")
    assert message.startswith(f"{path} has no column that looks like the user")
    assert "no column 'thing' for the item; no column that looks like the time" in message
    way_out = "name one of them for each with --user COL --item COL --time COL"
    assert message.endswith(f"{way_out}; if its first line is a row, add --no-header")
    assert "--item" not in refusal(path, item="what")


def test_missing_header(tmp_path):
    message = refusal(put(tmp_path, "u.csv", "196\t881250949\t242\t3\n186\t891717742\t302\t3\n"))
    assert "is data and no header; its columns are: 1 '196', 2 '881250949', 3 '242', 4 '3'; " in message
    assert message.endswith("read it with --no-header --user 1 --item 3 --time 2")


def test_one_column_for_two_roles(tmp_path):
    path = put(tmp_path, "log.csv", "user,item,time\n1,2,3\n")
    message = refusal(path, user="item")
    assert "column 'item'" in message
    assert "would be both the user and the item" in message
    assert "--user COL and --item COL" in message


def test_missing_file_and_empty_folder(tmp_path):
    assert f"{tmp_path / 'no.csv'} does not exist" in refusal(tmp_path / "no.csv")
    put(tmp_path, "README.md", "nothing")
    assert "holds no log file" in refusal(tmp_path)


def test_parts_that_do_not_fit(tmp_path):
    put(tmp_path, "a.csv", "user,item,time\n1,2,3\n")
    put(tmp_path, "b.csv", "user,item,when\n1,2,3\n")
    message = refusal(tmp_path)
    assert f"{tmp_path / 'b.csv'} has other columns than a.csv (not in both: time, when)" in message
    put(tmp_path, "b.csv", "user,item,time\n1,2,3\n1,2,x\n")
    assert f"{tmp_path / 'b.csv'}, row 2 (line 3)" in refusal(tmp_path)
    put(tmp_path, "b.csv", "user,item,time\n1,2,2011-12-09\n")
    assert f"{tmp_path / 'b.csv'}, row 1 (line 2)" in refusal(tmp_path)
    pl.DataFrame({"user": [1], "item": [1], "time": [1]}).write_parquet(tmp_path / "c.parquet")
    assert "mixes formats: a.csv is delimited text and c.parquet is Parquet" in refusal(tmp_path)


def test_parts_of_different_types(tmp_path):
    pl.DataFrame({"user": [1], "item": [1], "time": [1]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"user": ["x"], "item": [1], "time": [1]}).write_parquet(tmp_path / "b.parquet")
    message = refusal(tmp_path)
    assert f"column 'user' of {tmp_path / 'b.parquet'} is of type String, in a.parquet of type Int64" in message


def test_the_words_on_times_are_true_of_this_log(tmp_path):
    """What other rows hold is said where others are there; why a form does not fit, where that is known."""
    zones = put(tmp_path, "zones.csv", "user,item,time\n1,2,2014-04-01 10:00:00 CET\n3,4,2014-04-02 10:00:00 CET\n")
    with pytest.raises(InputError) as caught:
        read_log(zones, time_format="%Y-%m-%d %H:%M:%S %Z")
    assert "other rows" not in str(caught.value)
    assert "CET'; times are read as %Y-%m-%d %H:%M:%S %Z, as --time-format says; of the names of zones (%Z) UTC" in str(
        caught.value
    )
    rounded = put(tmp_path, "rounded.csv", "user,item,time\n1,2,1.39631E+09\n3,4,1.39631E+09\n")
    assert "time in column 'time' is '1.39631E+09'; a spreadsheet rounded it" in refusal(rounded)
    serial = put(tmp_path, "serial.csv", "user,item,time\n" + "".join(f"1,2,{41000 + n}.25\n" for n in range(30)))
    assert "30 of 30 times are before 1980 or in the future: days since 1900, as spreadsheets have" in refusal(serial)
    assert "--time-format" in refusal(serial)  # 041210 is in that span too
    mails = put(tmp_path, "mails.csv", "user,item,time\n" + '1,2,"Tue, 01 Apr 2014 10:00:00 +0000"\n' * 2)
    assert read_log(mails).notes[-1].startswith("Times read as dates of mails (%a, %d %b %Y %H:%M:%S %z), UTC where")


def test_a_first_line_that_is_no_header_is_shown(tmp_path):
    log = put(tmp_path, "log.csv", "# made in 2014\nuser,item,time\n1,2,1396310400\n")
    assert "row 1 (line 2): 1 field, the header has 4 ('# made in 2014', separated by ' ')" in refusal(log)


@pytest.mark.parametrize("mark", ["^", "\x01", ":"])
def test_fields_with_another_delimiter(tmp_path, mark):
    log = put(tmp_path, "log.csv", f"user{mark}item{mark}time\n1{mark}2{mark}1396310400\n")
    shown = repr(f"user{mark}item{mark}time")
    assert f"its first line has one field, {shown}; fields are separated by commas, tabs, semicolons" in refusal(log)
