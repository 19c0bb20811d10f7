"""Public datasets: small files in exactly the official formats become logs by the rules that are documented."""

import hashlib
import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from negsample.data.load import load_dataset, public_dataset
from negsample.data.sources.catalogue import SOURCES, families
from negsample.data.sources.fetch import fetch
from negsample.data.sources.fetched import KIND, fetched, folder_of, log_of
from negsample.data.sources.shapes import sequences, view_sessions
from negsample.data.sources.source import Official
from negsample.errors import InputError
from negsample.files.checksums import LIST, write_list
from negsample.settings import PrepareSettings
from tests.data.sources.files import put, refusal, rows, with_file, zipped

HOUR = 3_600_000  # milliseconds
SECOND = 10**6  # microseconds

# Rows as they stand in the official files: name, file in the archive, its lines, and what they say.
OFFICIAL = {
    "movielens-100k": (
        "ml-100k/u.data",
        ["196\t242\t3\t881250949", "186\t302\t3\t891717742", "196\t302\t1\t881250950"],
        [("196", "242", 881250949), ("186", "302", 891717742), ("196", "302", 881250950)],
    ),
    "movielens-1m": (
        "ml-1m/ratings.dat",
        ["1::1193::5::978300760", "1::661::3::978302109", "2::1193::4::978298413"],
        [("1", "1193", 978300760), ("1", "661", 978302109), ("2", "1193", 978298413)],
    ),
    "movielens-10m": (
        "ml-10M100K/ratings.dat",
        ["1::122::5::838985046", "1::185::4.5::838983525", "2::122::0.5::868244603"],
        [("1", "122", 838985046), ("1", "185", 838983525), ("2", "122", 868244603)],
    ),
    "movielens-20m": (
        "ml-20m/ratings.csv",
        ["userId,movieId,rating,timestamp", "1,2,3.5,1112486027", "1,29,3.5,1112484676", "2,2,4.0,1112484819"],
        [("1", "2", 1112486027), ("1", "29", 1112484676), ("2", "2", 1112484819)],
    ),
    "amazon-beauty": (
        "ratings_Beauty.csv",
        [
            "A39HTATAQ9V7YF,0205616461,5.0,1369699200",
            "A3JM6GV9MNOF9X,0558925278,3.0,1355443200",
            "#oc-R1,0558925278,1,1404691200",
        ],
        [
            ("A39HTATAQ9V7YF", "0205616461", 1369699200),
            ("A3JM6GV9MNOF9X", "0558925278", 1355443200),
            ("#oc-R1", "0558925278", 1404691200),
        ],
    ),
}
ODD = {
    "as it is": lambda lines: "\n".join(lines) + "\n",
    "no newline at the end": lambda lines: "\n".join(lines),
    "CR LF": lambda lines: "\r\n".join(lines) + "\r\n",
    "blank lines": lambda lines: "\n\n".join(lines) + "\n\n  \n",
    "a byte order mark": lambda lines: "\ufeff" + "\n".join(lines),
}
HEADERS = {
    "movielens-20m": "userId,movieId,rating,timestamp",
    "amazon-beauty": "UserId,ProductId,Rating,Timestamp",
    "retailrocket": "timestamp,visitorid,event,itemid,transactionid",
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", OFFICIAL)
def test_ratings_in_the_official_format(tmp_path, name, odd):
    inside, lines, said = OFFICIAL[name]
    fetch(SOURCES[name], put(tmp_path / "given" / inside, ODD[odd](lines)))
    assert rows(name) == [(user, item, time * SECOND) for user, item, time in said]


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_archive_and_the_file_in_it_are_the_same_log(tmp_path, cache, name):
    inside, lines, said = OFFICIAL[name]
    folder = inside.rpartition("/")[0]
    files = {inside: ODD["as it is"](lines), f"{folder}/README": "1::2::3", f"__MACOSX/{folder}/._ratings.dat": "x"}
    there = fetch(SOURCES[name], zipped(tmp_path / "whatever.zip", files))
    assert there.path.name == (f"{inside}.zip" if name == "amazon-beauty" else SOURCES[name].edition.archive.name)
    assert rows(name) == [(user, item, time * SECOND) for user, item, time in said]
    names = {"fetched.json", "log.parquet", "checksums.json", there.path.name}
    assert {path.name for path in folder_of(name).iterdir()} == names


@pytest.mark.parametrize("file", ["log.parquet", "fetched.json", "checksums.json"])
def test_a_damaged_log_of_the_cache_is_named(tmp_path, file):
    inside, lines, _ = OFFICIAL["movielens-100k"]
    fetch(SOURCES["movielens-100k"], put(tmp_path / "given" / inside, "\n".join(lines)))
    path = folder_of("movielens-100k") / file
    whole = path.read_bytes()
    for damaged in (whole[:-5], whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:], b"[" * 100_000):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=rf"{file} is damaged .*delete {path.parent} and fetch it again"):
            log_of(SOURCES["movielens-100k"])
    shutil.rmtree(path.parent)
    assert fetched(SOURCES["movielens-100k"]) is None


@pytest.mark.parametrize("name", ["movielens-20m", "amazon-beauty"])
def test_a_repeated_header_is_no_row(tmp_path, name):
    inside, lines, said = OFFICIAL[name]
    fetch(SOURCES[name], put(tmp_path / inside, "\n".join([HEADERS[name], *lines[:2], HEADERS[name], *lines[2:]])))
    assert len(rows(name)) == len(said)


BAD = [
    ("movielens-100k", "196\t242\t881250949", 2),
    ("movielens-100k", "196 242 3 881250949", 2),
    ("movielens-1m", "1::661::3", 2),
    ("movielens-1m", "1::661::3::978302109::0", 2),
    ("movielens-1m", "1:661:3:978302109", 2),
    ("movielens-1m", "1:::661::3::978302109", 2),
    ("movielens-1m", "1::::3::978302109", 2),
    ("movielens-10m", "1::185::4.5::noon", 2),
    ("movielens-10m", "one::185::4.5::838983525", 2),
    ("movielens-20m", "1,29,,1112484676", 3),
    ("movielens-20m", "user,movie,rating,time", 3),
    ("movielens-20m", "9" * 200, 3),
    ("amazon-beauty", "A39HTATAQ9V7YF,0205616461,5.0", 2),
    ("amazon-beauty", ",0205616461,5.0,1369699200", 2),
    ("amazon-beauty", "A39HTATAQ9V7YF,0205616461,5.0,1369699200.5", 2),
    ("amazon-beauty", '"A39HTATAQ9V7YF, 02",0205616461,5.0,1369699200', 2),
]


@pytest.mark.parametrize(("name", "bad", "line"), BAD)
def test_a_line_that_is_no_row_is_refused_with_file_and_line(tmp_path, name, bad, line):
    inside, lines, _ = OFFICIAL[name]
    text = "\n".join([*lines[: line - 1], bad, "also wrong", *lines[line - 1 :]])
    path = put(tmp_path / inside, text)
    message = refusal(name, path)
    assert f"{path}, line {line}: " in message
    assert repr(bad if len(bad) < 80 else bad[:80] + "...") in message
    assert f"a row is {SOURCES[name].edition.form.row}" in message
    message = refusal(name, zipped(tmp_path / "given.zip", {inside: text}))
    assert f"{SOURCES[name].edition.files[0].name} of {tmp_path / 'given.zip'}, line {line}: " in message


def test_files_that_are_plainly_something_else(tmp_path):
    name = "movielens-1m"
    assert "does not exist" in refusal(name, tmp_path / "gone.zip")
    assert "is no file" in refusal(name, tmp_path)
    assert "has no rows" in refusal(name, put(tmp_path / "empty.dat", ""))
    assert "has no rows" in refusal(name, put(tmp_path / "blank.dat", "\n\n"))
    assert "cannot be read" in refusal(name, put(tmp_path / "picture.png", bytes(range(256)) * 9))
    message = refusal(name, zipped(tmp_path / "films.zip", {"ml-1m/movies.dat": "1::Toy Story::Comedy"}))
    assert "films.zip holds no ratings.dat" in message
    assert "in it: ml-1m/movies.dat" in message
    two = {"a/ratings.dat": "1::2::3::4", "b/ratings.dat": "1::2::3::4"}
    assert "holds 2 ratings.dat, it should be one" in refusal(name, zipped(tmp_path / "two.zip", two))
    whole = zipped(tmp_path / "ok.zip", {"ml-1m/ratings.dat": "1::2::3::4\n" * 999}).read_bytes()
    damaged = whole[:60] + bytes(20) + whole[80:]
    assert "cannot be read" in refusal(name, put(tmp_path / "damaged.zip", damaged))
    cut = put(tmp_path / "cut.zip", whole[:-30])
    assert "cannot be read" in refusal(name, cut) or "is no row" in refusal(name, cut)


def test_the_official_file_of_another_dataset_is_refused(tmp_path, monkeypatch):
    path = put(tmp_path / "ratings.dat", "1::2::5::83\n")
    other = SOURCES["movielens-10m"]
    mine = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(
        SOURCES, other.name, other._replace(edition=with_file(other, Official("ratings.dat", sha256=mine)))
    )
    assert "is the official file of movielens-10m" in refusal("movielens-1m", path)


def test_one_file_may_be_official_of_two_datasets(tmp_path, monkeypatch):
    path = put(tmp_path / "ratings_Beauty.csv", "\n".join(OFFICIAL["amazon-beauty"][1]))
    file = Official("ratings_Beauty.csv", sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    for name in ("amazon-beauty", "amazon-beauty-sequences"):
        monkeypatch.setitem(SOURCES, name, SOURCES[name]._replace(edition=with_file(SOURCES[name], file)))
    assert fetch(SOURCES["amazon-beauty"], path).official


def official(name, content, **known):
    edition = with_file(SOURCES[name], Official("u.data", **known))._replace(archive=Official("x.zip"))
    return SOURCES[name]._replace(edition=edition)


def test_whether_a_file_is_the_official_one(tmp_path):
    content = "196\t242\t3\t881250949\n"
    path, size = put(tmp_path / "mine.tsv", content), len(content)
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    given = zipped(tmp_path / "mine.zip", {"u.data": content})

    def verdict(path, **known):
        source = official("movielens-100k", content, **known)
        there = fetch(source, path)
        about = json.loads((there.path.parent / "fetched.json").read_text())
        assert about["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert about["official"] is there.official
        shutil.rmtree(there.path.parent)
        return there.official, there.why

    for each in (path, given):
        assert verdict(each, size=size, sha256=sha256) == (True, "")
        assert verdict(each, sha256=sha256) == (True, "")
        assert verdict(each) == (None, "its size and checksum cannot be compared: none is known of u.data")
        assert verdict(each, size=size)[1].startswith("its size agrees, its checksum cannot be compared")
        assert verdict(each, size=7, sha256=sha256) == (False, f"it has {size} bytes, u.data has 7")
        told = verdict(each, size=size, sha256="ab" * 32)
        assert told == (False, f"its sha256 is {sha256}, that of u.data is {'ab' * 32}")


def test_what_is_known_of_the_official_files_is_well_formed():
    assert list(families()) == [
        "movielens-100k",
        "movielens-1m",
        "movielens-10m",
        "movielens-20m",
        "movielens-32m",
        "amazon-beauty",
        "amazon-beauty-sequences",
        "amazon-beauty-2018",
        "amazon-2023-CATEGORY",
        "retailrocket",
        "otto",
        "yambda-50m",
        "vk-lsvd",
        "kuairand-1k",
        "kuairand-pure",
        "steam",
        "yelp",
    ]
    assert sum(name.startswith("amazon-2023-") for name in SOURCES) == 33
    for source in SOURCES.values():
        assert source.terms
        assert source.citation
        assert source.page.startswith("https://")
        download = source.edition.archive or source.edition.files[0]
        assert source.address is None or source.address.endswith(f"/{download.name}")
        assert source.address is None or download.sha256 or download.md5, "a download is always compared"
        for each in (known for edition in source.editions() for known in (edition.archive, *edition.files) if known):
            assert each.sha256 is None or len(bytes.fromhex(each.sha256)) == 32
            assert each.md5 is None or len(bytes.fromhex(each.md5)) == 16
    sums = [source.edition.archive.sha256 for source in SOURCES.values() if source.family]
    assert len(set(sums)) == len(sums)


def test_the_page_of_datasets_says_the_same():
    page = (Path(__file__).parents[3] / "docs/datasets.md").read_text("utf-8")
    for name, (source, *_) in families().items():
        assert f"| `{name}` |" in page
        assert source.citation.rpartition("https://")[2] in page
        for each in (source.edition.archive, *source.edition.files):
            if each and not source.family:
                assert all(known in page for known in (each.sha256, each.md5) if known), each


def ratings(pairs, mark="::"):
    """A row each, a second apart, from a day on."""
    return "".join(
        mark.join((str(user), str(item), "5", str(978_300_000 + at))) + "\n" for at, (user, item) in enumerate(pairs)
    )


MANY = [(user, (user + 3 * step) % 11) for step in range(10) for user in range(1, 13)]


def test_a_fetched_name_is_a_dataset_prepared_once(tmp_path, cache, monkeypatch):
    with pytest.raises(InputError) as caught:
        load_dataset("movielens-1m")
    assert "movielens-1m is not fetched yet: `negsample data fetch movielens-1m` downloads it" in str(caught.value)
    assert "`negsample data fetch movielens-1m --from FILE` takes ml-1m.zip or ratings.dat" in str(caught.value)
    fetch(SOURCES["movielens-1m"], put(tmp_path / "ratings.dat", ratings(MANY)))
    data = load_dataset("movielens-1m")
    assert (data.name, data.users, data.manifest.events) == ("movielens-1m", 12, len(MANY))
    assert data.manifest.source == "ratings.dat"
    assert data.folder.parent == cache / "datasets"
    note = data.manifest.notes[0]
    assert "NOT THE OFFICIAL FILE: it has" in note
    assert "ratings.dat has 24,594,131" in note
    monkeypatch.setattr("negsample.data.load.prepare", None)
    assert load_dataset("movielens-1m", PrepareSettings()).folder == data.folder
    with pytest.raises(TypeError, match="not callable"):
        load_dataset("movielens-1m", PrepareSettings(split="paper"))
    with pytest.raises(InputError, match="has columns of its own, so user, time would have no effect"):
        load_dataset("movielens-1m", PrepareSettings(user="user", time="when"))


def test_a_log_of_another_rule_is_not_read(tmp_path, monkeypatch):
    fetch(SOURCES["movielens-1m"], put(tmp_path / "ratings.dat", ratings(MANY)))
    before = load_dataset("movielens-1m")
    changed = SOURCES["movielens-1m"]._replace(rule=2, shape=lambda some: (some.head(100).drop("rating"), ["Cut."]))
    monkeypatch.setitem(SOURCES, "movielens-1m", changed)
    with pytest.raises(InputError, match=r"earlier version of movielens-1m; delete it, and fetch it again"):
        load_dataset("movielens-1m")
    shutil.rmtree(folder_of(changed.name))
    fetch(changed, tmp_path / "ratings.dat")
    data = load_dataset("movielens-1m")
    assert data.manifest.events == 100
    assert "Cut." in data.manifest.notes
    assert data.folder != before.folder


def test_a_damaged_cache_says_what_to_delete(tmp_path):
    source = SOURCES["movielens-1m"]
    there = fetch(source, put(tmp_path / "ratings.dat", ratings(MANY)))
    there.path.write_text("1::2::3::4\n")
    with pytest.raises(
        InputError, match=r"movielens-1m/ratings\.dat is damaged .*; delete .*movielens-1m and fetch it"
    ):
        load_dataset(source.name)
    there.path.write_text(ratings(MANY))
    for content in ("{}", "[]", '{"file": 1, "sha256": "", "why": "", "official": true}'):
        (folder_of(source.name) / "fetched.json").write_text(content)
        with pytest.raises(InputError, match="is damaged"):
            fetch(source)
        write_list(folder_of(source.name) / LIST, KIND, "", ["fetched.json", "log.parquet", "ratings.dat"])
        with pytest.raises(InputError, match=r"fetched\.json is damaged"):
            fetch(source)


def test_what_is_fetched_stays(tmp_path):
    source = SOURCES["movielens-1m"]
    first = fetch(source, put(tmp_path / "ratings.dat", ratings(MANY)))
    assert fetch(source, put(tmp_path / "ratings.dat", ratings(MANY[:50]))) == first
    assert len(rows(source.name)) == len(MANY)


def test_unknown_names():
    with pytest.raises(InputError, match=r"no public dataset 'movielens-9m'; the names are: mov.*did you mean 'moviel"):
        public_dataset("movielens-9m")
    with pytest.raises(InputError, match=r"no public dataset 'zzz'; the names are: [^?]*yelp$"):
        public_dataset("zzz")
    with pytest.raises(InputError, match=r"Did you mean retailrocket\?"):
        load_dataset("retailroket")


def test_beauty_keeps_frequent_users_and_items_by_one_count_over_the_raw_file(tmp_path):
    """Users a..e have 5 ratings or more, f has 4; items 0..4 have 5 or more, 5 has 4.

    f's four ratings go, item 5's four too. Item 0 then has 4 ratings and b 4: both stay, as nothing is counted again.
    """
    pairs = [(user, item) for item in range(1, 5) for user in "acde"]  # items 1..4: 4 ratings each so far
    pairs += [("b", item) for item in range(1, 5)] + [("b", 5)]  # b: 5, one of them on item 5
    pairs += [(user, 5) for user in "acd"]  # item 5: 4
    pairs += [(user, 0) for user in "acde"] + [("f", 0)]  # item 0: 5, one of them by f
    pairs += [("f", item) for item in (1, 2, 3)]  # f: 4
    text = "".join(f"{user},{item},4.0,{1_300_000_000 + 86_400 * at}\n" for at, (user, item) in enumerate(pairs))
    fetch(SOURCES["amazon-beauty"], put(tmp_path / "ratings_Beauty.csv", text))
    data = load_dataset("amazon-beauty", PrepareSettings(valid_fraction=0.1, test_fraction=0.1))
    assert data.manifest.events == len(pairs) - 4 - 4
    assert data.manifest.users == 5
    assert data.item_ids().to_list() == ["0", "1", "2", "3", "4"]
    assert any("both counted once over the whole log" in note for note in data.manifest.notes)
    more = load_dataset("amazon-beauty", PrepareSettings(min_item_events=6, valid_fraction=0.1, test_fraction=0.1))
    assert more.item_ids().to_list() == ["1", "2", "3"]
    assert more.manifest.settings.min_user_events == 5


def test_beauty_by_sequences_is_counted_again_until_nothing_is_left_to_leave_out(tmp_path):
    """Item x has 5 ratings, one of them a repeat, one by d, who has nothing else: 3 are left, so it goes. Then a and b
    have one event each and go too. Items y and z keep 5."""
    pairs = [("a", "x"), ("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("c", "x"), ("d", "x"), ("e", "y"), ("e", "z")]
    pairs += [("f", "y"), ("f", "z"), ("g", "y"), ("g", "z"), ("h", "y"), ("h", "z"), ("i", "y"), ("i", "z")]
    text = "".join(f"{user},{item},4.0,{1_300_000_000 + 86_400 * at}\n" for at, (user, item) in enumerate(pairs))
    fetch(SOURCES["amazon-beauty-sequences"], put(tmp_path / "ratings_Beauty.csv", text))
    left = {(user, item) for user, item, _ in rows("amazon-beauty-sequences")}
    assert left == {(user, item) for user in "efghi" for item in "yz"}


def events(*visits):
    """``events.csv``: each visit is (hours since the start, visitor, event, item)."""
    start = 1_433_221_332_117
    lines = [HEADERS["retailrocket"]]
    for hours, visitor, event, item in visits:
        bought = 4711 if event == "transaction" else ""
        lines.append(f"{start + round(hours * HOUR)},{visitor},{event},{item},{bought}")
    return "\n".join(lines) + "\n"


def retailrocket(tmp_path, *visits):
    fetch(SOURCES["retailrocket"], zipped(tmp_path / "archive.zip", {"events.csv": events(*visits), "tree.csv": ""}))
    log, _ = log_of(SOURCES["retailrocket"])
    return log.frame.collect(), log.notes


FILL = [(100 + visitor + step / 60, visitor, "view", step) for visitor in range(50, 55) for step in (1, 2, 3)]


def test_retailrocket_is_the_views_by_session(tmp_path):
    """Five visitors see 1, 2, 3; visitor 9 comes back, after an hour to the millisecond and after one more."""
    millisecond = 1 / HOUR
    frame, notes = retailrocket(
        tmp_path,
        *FILL,
        (2 + 2 * millisecond, 9, "view", 1),  # the second session: more than an hour after the cart
        (0, 9, "view", 2),
        (2 + 1 / 60, 9, "view", 3),
        (1, 9, "view", 1),  # exactly an hour: still the first session
        (1 + millisecond, 9, "addtocart", 1),  # no view, but it keeps the session alive
        (2 + 1 / 30, 9, "transaction", 3),
    )
    mine = frame.filter(pl.col("user").str.starts_with("9-"))
    assert mine.select("user", "item").rows() == [("9-1", "2"), ("9-1", "1"), ("9-2", "1"), ("9-2", "3")]
    start = 1_433_221_332_117 * 1000
    assert (mine["time"] - start).to_list()[:2] == [0, 3_600 * SECOND]
    assert frame["user"].n_unique() == 5 + 2
    assert notes[1].startswith(
        "19 views of 21 events; a user is a session of a visitor, which ends after more than 60 minutes"
    )


def test_other_events_lie_between_sessions_too(tmp_path):
    """Without its cart in between, the visitor would have two sessions of one view, which go."""
    visits = [(0, 9, "view", 1), (0.9, 9, "addtocart", 1), (1.8, 9, "view", 2)]
    frame, _ = retailrocket(tmp_path, *FILL, *visits)
    assert frame.filter(pl.col("user") == "9-1")["item"].to_list() == ["1", "2"]


def test_retailrocket_leaves_out_repeats_then_the_rare_until_none_is_left(tmp_path):
    """Visitor 8 sees 1, 1, 2, 1: one repeat. Visitor 7 sees 1, 1: then one event, which goes.

    Item 4 has five views, one by visitor 6, who else has item 5 alone, which is rare: it goes, then the
    session of one view, then item 4, which has four left, and with it the sessions of 60 to 63.
    """
    visits = [(step / 60, 8, "view", item) for step, item in enumerate([1, 1, 2, 1])]
    visits += [(step / 60, 7, "view", 1) for step in (0, 1)]
    visits += [(0, 6, "view", 5), (1 / 60, 6, "view", 4)]
    visits += [(0, visitor, "view", 4) for visitor in (60, 61, 62, 63)]
    visits += [(1 / 60, visitor, "view", 1) for visitor in (60, 61, 62, 63)]
    frame, notes = retailrocket(tmp_path, *FILL, *visits)
    assert sorted(frame["user"].unique()) == ["50-1", "51-1", "52-1", "53-1", "54-1", "8-1"]
    assert frame.filter(pl.col("user") == "8-1")["item"].to_list() == ["1", "2", "1"]
    assert "2 events left out: on the item of the previous event in the sequence." in notes
    assert any(note.startswith("11 events left out: of sequences with one event") for note in notes)


def test_the_gap_between_sessions_is_an_argument():
    """Half an hour, as session-rec has it."""
    half = HOUR * 1000 // 2
    times = [0, half, 2 * half + 1, 3 * half + 1]
    visits = {"user": ["7"] * 4, "item": ["1", "2", "3", "4"], "time": times, "event": ["view"] * 4}
    others = {"user": [], "item": [], "time": [], "event": []}
    for visitor in range(20, 24):
        for item in "1234":
            for key, value in zip(others, (str(visitor), item, 0, "view"), strict=True):
                others[key].append(value)
    rows = pl.concat([pl.DataFrame(visits), pl.DataFrame(others)]).lazy()
    log, _ = view_sessions(rows, half)
    mine = log.collect().filter(pl.col("user").str.starts_with("7-"))
    assert mine["user"].to_list() == ["7-1", "7-1", "7-2", "7-2"]


def test_sequences_of_users():
    """The same filter without sessions: repeats within a user, by time."""
    rows = {
        "user": ["a", "b", "a", "a"] + list("cdefg") * 2,
        "item": ["x", "x", "x", "y"] + ["x"] * 5 + ["y"] * 5,
        "time": [3, 1, 1, 2] + [0] * 5 + [1] * 5,
    }
    log, notes = sequences(pl.DataFrame(rows).lazy())
    assert log.collect().filter(pl.col("user") == "a")["item"].to_list() == ["x", "y", "x"]
    assert "b" not in log.collect()["user"]
    assert notes[0].startswith("0 events left out")
    assert notes[1].startswith("1 events left out")


def test_too_little_for_sessions_is_refused(tmp_path):
    path = zipped(tmp_path / "archive.zip", {"events.csv": events(*FILL[:6])})
    message = refusal("retailrocket", path)
    assert f"events.csv of {path}: none of its 6 events is left" in message
    assert "bring a larger file" in message


@pytest.mark.parametrize(
    "bad",
    [
        "1433221332117,257597,click,355908,",
        "1433221332117,257597,view,355908",
        "1433221332117,,view,355908,",
        "2015-06-02,257597,view,355908,",
    ],
)
def test_bad_rows_of_retailrocket(tmp_path, bad):
    path = put(tmp_path / "events.csv", events(*FILL) + bad + "\n")
    assert f"{path}, line {len(FILL) + 2}: {bad!r} is no row" in refusal("retailrocket", path)


@pytest.mark.parametrize("odd", ["blank lines", "CR LF", "no newline at the end", "a second header"])
def test_odd_lines_of_retailrocket(tmp_path, odd):
    lines = events(*FILL).splitlines()
    text = "\n".join([*lines[:4], lines[0], *lines[4:]]) if odd == "a second header" else ODD[odd](lines)
    fetch(SOURCES["retailrocket"], put(tmp_path / "events.csv", text))
    assert len(rows("retailrocket")) == len(FILL)


def test_retailrocket_asks_for_a_file(cache):
    with pytest.raises(InputError) as caught:
        fetch(SOURCES["retailrocket"])
    assert "asks for an account: get archive.zip or events.csv there" in str(caught.value)
    assert "--from FILE" in str(caught.value)
    with pytest.raises(InputError, match=r"takes archive\.zip or events\.csv from https://www\.kaggle"):
        load_dataset("retailrocket")
    assert not cache.exists()


def test_large_files_keep_their_order(tmp_path):
    n = 200_000
    frame = pl.DataFrame({"user": pl.int_range(n, eager=True) % 7, "item": pl.int_range(n, eager=True)})
    text = "".join(f"{user}::{item}::3::978300760\n" for user, item in frame.iter_rows())
    fetch(SOURCES["movielens-1m"], put(tmp_path / "ratings.dat", text))
    log, _ = log_of(SOURCES["movielens-1m"])
    assert log.frame.collect()["item"].cast(pl.Int64).equals(frame["item"])
