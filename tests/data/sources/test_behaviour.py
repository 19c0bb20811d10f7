"""Sessions, music, videos and reviews: small files in exactly the official formats."""

import hashlib
import io
import json
import shutil
import tarfile

import polars as pl
import pytest

from negsample.data.sources.catalogue import SOURCES
from negsample.data.sources.fetch import fetch
from negsample.data.sources.fetched import folder_of, log_of
from negsample.data.sources.source import Official
from tests.data.sources.files import put, refusal, rows, zipped

SECOND, MS, DAY = 10**6, 10**3, 86_400 * 10**6
U32, U16, U8 = pl.UInt32, pl.UInt16, pl.UInt8


def tarred(path, files, mode="w:gz"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def notes(name):
    return log_of(SOURCES[name])[0].notes


# OTTO

SESSIONS = [  # the example of its repository, and a second session
    {
        "session": 42,
        "events": [
            {"aid": 0, "ts": 1661200010000, "type": "clicks"},
            {"aid": 1, "ts": 1661200020000, "type": "clicks"},
            {"aid": 2, "ts": 1661200040000, "type": "carts"},
            {"aid": 2, "ts": 1661200080000, "type": "orders"},
        ],
    },
    {"session": 43, "events": [{"aid": 1517085, "ts": 1661200081123, "type": "clicks"}]},
]
CLICKS = [("42", "0", 1661200010000), ("42", "1", 1661200020000), ("43", "1517085", 1661200081123)]


def jsonl(records):
    return "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in records)


@pytest.mark.parametrize("is_archive", [True, False])
def test_otto_is_the_clicks_of_sessions(tmp_path, is_archive):
    text = jsonl(SESSIONS)
    files = {"otto-recsys-test.jsonl": "", "otto-recsys-train.jsonl": text}
    given = zipped(tmp_path / "archive.zip", files) if is_archive else put(tmp_path / "train.jsonl", text)
    there = fetch(SOURCES["otto"], given)
    assert there.why == f"it has {len(text)} bytes, otto-recsys-train.jsonl has 11,307,535,945"
    assert rows("otto") == [(user, item, time * MS) for user, item, time in CLICKS]
    assert "3 of 5 rows are events: clicks." in notes("otto")


@pytest.mark.parametrize(
    "event",
    [{"aid": None}, {"aid": 1.5}, {"ts": "1661200010000"}, {"ts": 1661200010}, {"type": None}, {"type": 1}, None],
)
def test_a_session_with_something_else_in_it_is_refused_with_its_line(tmp_path, event):
    bad = {"session": 7, "events": [*SESSIONS[0]["events"][:2], event and SESSIONS[0]["events"][2] | event]}
    path = put(tmp_path / "train.jsonl", jsonl([*SESSIONS, bad, SESSIONS[1]]))
    assert f"{path}, line 3: " in refusal("otto", path)


def test_long_sessions_keep_the_order_of_their_lines(tmp_path):
    """More lines than one batch has."""
    records = [
        {"session": n, "events": [{"aid": n % 7, "ts": 1661200000000 + n, "type": "clicks"}] * 2} for n in range(9_000)
    ]
    fetch(SOURCES["otto"], put(tmp_path / "train.jsonl", jsonl(records)))
    assert [user for user, *_ in rows("otto")] == [str(n) for n in range(9_000) for _ in range(2)]


# Yambda


def listens(**changes):
    columns = {
        "uid": (U32, [10, 20, 20, 30]),
        "timestamp": (U32, [15_929_455, 18_111_700, 18_111_945, 0]),
        "item_id": (U32, [6_928_395, 6_417_612, 9_362_291, 6_983_647]),
        "is_organic": (U8, [1, 0, 0, 1]),
        "played_ratio_pct": (U16, [50, 49, 110, 100]),
        "track_length_seconds": (U32, [180, 200, 195, 240]),
    }
    return {name: pl.Series(values, dtype=dtype) for name, (dtype, values) in columns.items()} | changes


def parquet(path, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns).write_parquet(path)
    return path


def test_yambda_is_the_tracks_that_were_played_by_half(tmp_path):
    fetch(SOURCES["yambda-50m"], parquet(tmp_path / "listens.parquet", listens()))
    start = 946_684_800 * SECOND
    assert rows("yambda-50m") == [
        ("10", "6928395", start + 15_929_455 * SECOND),
        ("20", "9362291", start + 18_111_945 * SECOND),
        ("30", "6983647", start),
    ]
    assert "3 of 4 rows are events: at least half of the track was played." in notes("yambda-50m")
    assert any("it is 2000-01-01" in note for note in notes("yambda-50m"))


def test_other_parquet_files_are_refused(tmp_path):
    def refused(**changes):
        columns = {name: column for name, column in listens(**changes).items() if column is not None}
        return refusal("yambda-50m", parquet(tmp_path / "listens.parquet", columns))

    assert "listens.parquet: there is no column 'played_ratio_pct'; a row is uid, t" in refused(played_ratio_pct=None)
    assert "column 'uid' is no number but String" in refused(uid=pl.Series(["a", "b", "c", "d"]))
    assert "column 'item_id' is no number but Float64" in refused(item_id=pl.Series([1.0, 2.0, 3.0, 4.0]))
    assert "row 3: {'uid': None, 'timestamp': 18111945, " in refused(uid=pl.Series([1, 2, None, 4], dtype=U32))
    late = refused(timestamp=pl.Series([1, 2, 3, 2**32 - 1], dtype=U32))
    assert "row 4: {'uid': 30, 'timestamp': 4294967295, " in late
    assert "has a time before 1980 or in the future" in late
    none = refused(played_ratio_pct=pl.Series([0] * 4, dtype=U16))
    assert "none of its 4 rows is an event (at least half of the track was played)" in none
    assert "cannot be read" in refusal("yambda-50m", put(tmp_path / "x.parquet", "uid,timestamp\n1,2\n"))


# VK-LSVD


def weeks(folder, *, lacking=(), seconds=(11, 10, 255)):
    """The 27 files of a subsample, each with three rows."""
    for week in set(range(27)) - set(lacking):
        part = "train" if week < 25 else "validation" if week == 25 else "test"
        columns = {
            "user_id": pl.Series([5_470_747, 448_331_816, 5_470_747], dtype=U32),
            "item_id": pl.Series([414_687_932 + week, 1, 2], dtype=U32),
            "place": pl.Series([0, 0, 1], dtype=U8),
            "platform": pl.Series([1, 0, 0], dtype=U8),
            "agent": pl.Series([1, 0, 0], dtype=U8),
            "timespent": pl.Series(seconds, dtype=U8),
            "like": [False, False, True],
        }
        parquet(folder / part / f"week_{week:02}.parquet", columns)
    return folder


def test_vk_lsvd_has_weeks_for_times_and_for_its_split(tmp_path):
    name, start = "vk-lsvd", 1_735_689_600 * SECOND
    there = fetch(SOURCES[name], weeks(tmp_path / "ur0.01_ir0.01"))
    assert sorted(path.name for path in there.path.iterdir()) == [f"week_{week:02}.parquet" for week in range(27)]
    frame = log_of(SOURCES[name])[0].frame.collect()
    assert frame["user"].to_list() == ["5470747"] * 54
    assert frame["item"].to_list()[:4] == ["414687932", "2", "414687933", "2"]
    expected = [start + week * 7 * DAY + row * (7 * DAY // 3) for week in range(27) for row in (0, 2)]
    assert frame["time"].to_list() == expected
    assert frame["part"].to_list() == [0] * 50 + [1] * 2 + [2] * 2
    assert frame["part"].dtype == pl.Int8
    assert "54 of 81 rows are events: watched for more than ten seconds." in notes(name)
    assert (
        "Its publisher's split (--split given): validation from 2025-06-25T00:00:00, test from 2025-07-02T00:00:00."
        in notes(name)
    )
    assert (
        log_of(SOURCES[name])[0].notes[0].startswith(f"From files (sha256 {there.sha256[:12]}), perhaps the official")
    )


def test_a_folder_that_lacks_a_week_is_refused(tmp_path):
    message = refusal("vk-lsvd", weeks(tmp_path / "ur0.01_ir0.01", lacking=[26]))
    assert "ur0.01_ir0.01 holds no week_26.parquet, it should be one" in message
    one = tmp_path / "ur0.01_ir0.01" / "train" / "week_00.parquet"
    assert f"{one} is one file; 27 are needed, week_00.parquet to week_26.parquet" in refusal("vk-lsvd", one)
    message = refusal("vk-lsvd", None)
    assert "has it in parts (`hf download deepvk/VK-LSVD " in message
    assert "a folder with the 27 files week_00.parquet to week_26.parquet" in message


# KuaiRand

KUAIRAND = (
    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,"
    "play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab"
)
EARLY = ["3,1071,20220408,1600,1649408076860,1,0,0,0,0,0,1,175045,87433,0,0,0,0,1"]
LATE = [
    "0,10,20220422,900,1650589200388,0,0,0,0,0,0,0,1385,209900,0,0,0,0,1",
    "0,20,20220508,2000,1652011176017,1,0,0,0,0,0,0,9000,65400,0,0,0,0,0",
]


@pytest.mark.parametrize(("version", "is_folder"), [("1k", False), ("pure", True)])
def test_kuairand_is_the_clicks_of_both_logs(tmp_path, version, is_folder):
    name = f"kuairand-{version}"
    early, late = ("\n".join([KUAIRAND, *lines]) + "\n" for lines in (EARLY, LATE))
    files = {
        "data/log_random_4_22_to_5_08.csv": "user_id\n",
        f"data/log_standard_4_22_to_5_08_{version}.csv": late,
        f"data/log_standard_4_08_to_4_21_{version}.csv": early,
    }
    if is_folder:
        for path, text in files.items():
            put(tmp_path / "given" / path, text)
        given = tmp_path / "given"
    else:
        given = tarred(tmp_path / "mine.tar.gz", {f"KuaiRand/{path}": text for path, text in files.items()})
    there = fetch(SOURCES[name], given)
    assert rows(name) == [("3", "1071", 1649408076860 * MS), ("0", "20", 1652011176017 * MS)]
    assert "2 of 3 rows are events: a click or a valid play (is_click)." in notes(name)
    assert there.official is (None if is_folder else False)
    assert there.path.name == ("files" if is_folder else SOURCES[name].edition.archive.name)


def test_an_archive_with_a_known_md5(tmp_path, monkeypatch):
    name = "kuairand-pure"
    files = ("log_standard_4_08_to_4_21_pure.csv", "log_standard_4_22_to_5_08_pure.csv")
    given = tarred(tmp_path / "KuaiRand-Pure.tar.gz", dict.fromkeys(files, "\n".join([KUAIRAND, *EARLY])))
    assert "it has " in fetch(SOURCES[name], given).why
    shutil.rmtree(folder_of(name))
    for md5, official in ((hashlib.md5(given.read_bytes()).hexdigest(), True), ("ab" * 16, False)):
        edition = SOURCES[name].edition._replace(archive=Official("KuaiRand-Pure.tar.gz", md5=md5))
        there = fetch(SOURCES[name]._replace(edition=edition), given)
        assert there.official is official
        assert ("its md5 is " in there.why) is not official
        shutil.rmtree(folder_of(name))


def test_a_line_of_a_log_of_kuairand_is_found_in_its_file(tmp_path):
    files = {
        "log_standard_4_08_to_4_21_1k.csv": "\n".join([KUAIRAND, *EARLY]),
        "log_standard_4_22_to_5_08_1k.csv": "\n".join([KUAIRAND, LATE[0], "0,20,20220508,2000,1652011176017,yes"]),
    }
    path = tarred(tmp_path / "mine.tar", files, "w")
    message = refusal("kuairand-1k", path)
    assert f"log_standard_4_22_to_5_08_1k.csv of {path}, line 3: '0,20,20220508,2000,1652011176017,yes'" in message


# Steam

REVIEWS = [  # as they stand in steam_reviews.json: Python 2's
    "{u'username': u'Chaos Syren', u'hours': 0.1, u'products': 41, u'product_id': u'725280', u'page_order': 0, "
    "u'date': u'2017-12-17', u'text': u'This would not be acceptable as an entertainment\\u2026', "
    "u'early_access': False, u'page': 1}",
    "{u'username': u\"O'Neil\", u'hours': 51.1, u'products': 769, u'product_id': u'328100', u'page_order': 0, "
    "u'date': u'2010-10-15', u'text': u\"it's 'fun'; u'username': u'nobody'\", u'early_access': True, u'page': 1, "
    "u'compensation': u'Product received for free', u'user_id': u'76561197970982479', u'found_funny': 2}",
    "{u'username': u'\\u2605 \\ud83d', u'product_id': u'35140', u'date': u'2018-01-05', u'text': u''}",
    "{u'username': u'', u'product_id': u'35140', u'date': u'2018-01-05', u'text': u''}",
]


def test_steam_is_read_as_python_wrote_it(tmp_path):
    there = fetch(SOURCES["steam"], put(tmp_path / "steam_reviews.json", "\n".join(REVIEWS) + "\n"))
    assert rows("steam") == [
        ("Chaos Syren", "725280", 1513468800 * SECOND),
        ("O'Neil", "328100", 1287100800 * SECOND),
        ("★ �", "35140", 1515110400 * SECOND),
    ]
    assert "1 of 4 rows left out: no user or no item." in notes("steam")
    assert there.official is None


@pytest.mark.parametrize(
    "bad",
    [
        REVIEWS[0][:-1],
        REVIEWS[0].replace("u'date': u'2017-12-17'", "u'date': u'December 17'"),
        REVIEWS[0].replace("u'date': u'2017-12-17'", "u'date': None"),
        REVIEWS[0].replace("u'username'", "u'name'"),
        "__import__('os').getcwd()",
        "(" * 500,
    ],
)
def test_a_line_that_is_no_review_of_steam(tmp_path, bad):
    path = put(tmp_path / "steam_reviews.json", "\n".join([REVIEWS[0], bad]))
    assert f"{path}, line 2: " in refusal("steam", path)


# Yelp

YELP = (
    '{"review_id":"KU_O5udG6zpxOg-VcAEodg","user_id":"mh_-eMZ6K5RLWhZyISBhwA","business_id":"XQfwVwDr-v0ZS3_CbbE5Xw",'
    '"stars":3.0,"useful":0,"funny":0,"cool":0,"text":"If you decide to eat here,\\n\\nbe aware",'
    '"date":"2018-07-07 22:09:11"}\n'
)


@pytest.mark.parametrize("kind", ["file", "tar", "zip of a tar", "zip"])
def test_yelp_from_whatever_it_is_packed_in(tmp_path, kind):
    """Its publisher's archive is a zip with a ``.tar`` that is compressed too; that of Kaggle has the files."""
    inside = {"yelp_academic_dataset_business.json": "{}\n", "yelp_academic_dataset_review.json": YELP}
    tar = tarred(tmp_path / "yelp_dataset.tar", inside)
    given = {
        "file": lambda: put(tmp_path / "review.json", YELP),
        "tar": lambda: tar,
        "zip of a tar": lambda: zipped(
            tmp_path / "Yelp-JSON.zip",
            {"Yelp JSON/yelp_dataset.tar": tar.read_bytes(), "__MACOSX/Yelp JSON/._yelp_dataset.tar": "x"},
        ),
        "zip": lambda: zipped(tmp_path / "archive.zip", inside),
    }[kind]()
    there = fetch(SOURCES["yelp"], given)
    assert rows("yelp") == [("mh_-eMZ6K5RLWhZyISBhwA", "XQfwVwDr-v0ZS3_CbbE5Xw", 1531001351 * SECOND)]
    assert there.official is False
    assert sorted(path.name for path in there.path.parent.iterdir()) == sorted(
        ["checksums.json", "fetched.json", "log.parquet", there.path.name]
    )


def test_yelp_asks_that_its_terms_be_accepted():
    message = refusal("yelp", None)
    assert "https://www.yelp.com/dataset asks that its terms be accepted: get Yelp-JSON.zip or yelp_" in message


def test_damaged_archives(tmp_path):
    tar = tarred(tmp_path / "yelp_dataset.tgz", {"yelp_academic_dataset_review.json": YELP * 999})
    cut = put(tmp_path / "cut.tgz", tar.read_bytes()[:-900])
    assert "cannot be read" in refusal("yelp", cut)
    other = tarred(tmp_path / "other.tgz", {"a/b.json": "{}"})
    assert f"{other} holds no yelp_academic_dataset_review.json, it should be one; in it: a/b.json" in refusal(
        "yelp", other
    )
