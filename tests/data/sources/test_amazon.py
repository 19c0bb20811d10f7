"""The releases of Amazon's reviews: each is read as it is, and told from the others."""

import gzip
import json

import pytest

from negsample.data.load import load_dataset, public_dataset
from negsample.data.sources.catalogue import SOURCES
from negsample.data.sources.fetch import fetch
from negsample.data.sources.fetched import log_of
from negsample.errors import InputError
from tests.data.sources.files import put, refusal, rows

SECOND, MS = 10**6, 10**3
VALID, TEST = 1_628_643_414_042, 1_658_002_729_837  # the publisher's, in milliseconds
RATINGS = [  # user, item, rating, milliseconds
    ("AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B081TJ8YS3", "4.0", 1_588_615_855_070),
    ("AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B006GBITXC", "1.0", VALID - 1),
    ("AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B00TLEMSVK", "5.0", VALID),
    ("AGBFYI2DDIKXC5Y4FARTYDTQBMFQ_1", "0615880487", "0.0", TEST - 1),
    ("AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B0BSLWXYZ1", "3.0", TEST),
]
HEADER = "user_id,parent_asin,rating,timestamp"
CSV = "\n".join([HEADER, *(",".join(map(str, row)) for row in RATINGS)]) + "\n"
LOG = [(user, item, time * MS, part) for (user, item, _, time), part in zip(RATINGS, (0, 0, 1, 1, 2), strict=True)]


def reviews(*more):
    """``All_Beauty.jsonl``, with the fields of its publishers."""
    lines = [
        json.dumps(
            {
                "rating": float(rating),
                "title": "Such a lovely scent",
                "text": 'but not "overpowering",\nI think',
                "images": [{"small_image_url": "https://example.org/1.jpg"}],
                "asin": f"{item}-blue",
                "parent_asin": item,
                "user_id": user,
                "timestamp": time,
                "helpful_vote": 0,
                "verified_purchase": True,
            }
        )
        for user, item, rating, time in (*RATINGS, *more)
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("compressed", [True, False])
def test_ratings_of_2023_with_the_split_of_their_publishers(tmp_path, compressed):
    name = "amazon-2023-all-beauty"
    given = put(tmp_path / "mine", gzip.compress(CSV.encode()) if compressed else CSV)
    there = fetch(SOURCES[name], given)
    assert there.path.name == ("All_Beauty.csv.gz" if compressed else "All_Beauty.csv")
    assert rows(name) == LOG
    notes = log_of(SOURCES[name])[0].notes
    assert (
        "Its publisher's split (--split given): validation from 2021-08-11T00:56:54, test from 2022-07-16T20:18:49."
        in notes
    )


def test_the_split_of_the_publishers_is_that_of_the_dataset(tmp_path):
    name = "amazon-2023-all-beauty"
    fetch(SOURCES[name], put(tmp_path / "All_Beauty.csv", CSV))
    about = load_dataset(name, split="given").manifest
    assert (about.train_events, about.valid_events, about.test_events) == (2, 2, 1)
    assert (about.valid_start, about.test_start) == ("2021-08-11T00:56:54", "2022-07-16T20:18:49")
    fetch(SOURCES["amazon-beauty-2018"], put(tmp_path / "2018.csv", OF_2018))
    with pytest.raises(InputError, match="publisher of amazon-beauty-2018 gives no split; take another --split"):
        load_dataset("amazon-beauty-2018", split="given")


def test_an_archive_that_is_another(tmp_path):
    """A csv.gz that is another than the publisher's is said to be one, though nothing is known of the file in it."""
    name = "amazon-2023-video-games"
    there = fetch(SOURCES[name], put(tmp_path / "Video_Games.csv.gz", gzip.compress(CSV.encode())))
    assert there.official is False
    assert "that of Video_Games.csv.gz is 30692f9806e3" in there.why


def test_rows_of_2023_without_a_user_are_left_out_and_counted(tmp_path):
    name = "amazon-2023-software"
    fetch(SOURCES[name], put(tmp_path / "Software.csv", CSV + ",B081TJ8YS3,,1588615855070\n"))
    assert rows(name) == LOG
    assert "1 of 6 rows left out: no user or no item." in log_of(SOURCES[name])[0].notes


@pytest.mark.parametrize("compressed", [True, False])
def test_reviews_of_2023_are_the_same_log(tmp_path, compressed):
    """A later and an earlier review of an item that the user reviewed: the earliest counts, as in the ratings."""
    name, (user, item, rating, time) = "amazon-2023-all-beauty", RATINGS[0]
    text = reviews((user, item, "1.0", TEST + 5), (user, item, rating, time - 60_000)).encode()
    given = put(tmp_path / "All_Beauty.jsonl", gzip.compress(text) if compressed else text)
    there = fetch(SOURCES[name], given)
    assert there.path.name == ("All_Beauty.jsonl.gz" if compressed else "All_Beauty.jsonl")
    assert rows(name) == [(user, item, (time - 60_000) * MS, 0), *LOG[1:]]
    assert "2 of 7 reviews left out: not the user's first of the item." in log_of(SOURCES[name])[0].notes


@pytest.mark.parametrize(
    "changes",
    [
        {"timestamp": "1588615855070"},
        {"timestamp": 1588615855070.5},
        {"timestamp": None},
        {"user_id": None},
        {"parent_asin": ["B0"]},
        {"asin": True},
        {"timestamp": 1_588_615_855},
        {"timestamp": 10**30},
    ],
)
def test_a_review_that_is_none_is_refused_with_its_line(tmp_path, changes):
    first, *others = reviews().splitlines()
    bad = json.dumps(json.loads(first) | changes)
    path = put(tmp_path / "All_Beauty.jsonl", "\n".join([others[0], "", bad, *others[1:]]))
    message = refusal("amazon-2023-all-beauty", path)
    assert f"{path}, line 3: {bad[:80] + '...'!r} " in message
    assert ("is no row" in message) != ("has a time before 1980" in message)


@pytest.mark.parametrize("bad", ['{"user_id": "A"', "[1]", "null", "B0,A0,5.0,1588615855070"])
def test_a_line_that_is_no_review_is_refused(tmp_path, bad):
    path = put(tmp_path / "All_Beauty.jsonl", reviews() + bad)
    assert f"line 6: {bad!r} is no row; a row is {{" in refusal("amazon-2023-all-beauty", path)


def test_ratings_of_2018_have_the_item_before_the_user(tmp_path):
    lines = ["0143026860,A1V6B6TNIC10QE,1.0,1424304000", "B00005N7NQ,A1QKWHRZZXPMOM,5.0,1538352000"]
    fetch(SOURCES["amazon-beauty-2018"], put(tmp_path / "All_Beauty.csv", "\n".join(lines)))
    said = [("A1V6B6TNIC10QE", "0143026860", 1424304000), ("A1QKWHRZZXPMOM", "B00005N7NQ", 1538352000)]
    assert rows("amazon-beauty-2018") == [(user, item, time * SECOND) for user, item, time in said]


OF_2014 = "".join(f"A{n % 5:012X},B00{n % 4:07X},5.0,{1400000000 + n}\n" for n in range(100))
OF_2018 = "".join(f"B00{n % 4:07X},A{n % 5:012X},5.0,{1400000000 + n}\n" for n in range(100))


@pytest.mark.parametrize(
    ("name", "text", "release", "advised"),
    [
        ("amazon-beauty", OF_2018, "2018, which has the item before the user", "amazon-beauty-2018"),
        ("amazon-beauty-sequences", OF_2018, "2018, which has the item before the user", "amazon-beauty-2018"),
        ("amazon-beauty-2018", OF_2014, "2014, which has the user before the item", "amazon-beauty"),
    ],
)
def test_the_advice_for_another_release_reads_it_right(tmp_path, name, text, release, advised):
    """Read as the other it would recommend users to items."""
    path = put(tmp_path / "my ratings.csv", text)
    message = refusal(name, path)
    assert f"line 1: {text.splitlines()[0]!r} is a row of the release of {release}; " in message
    assert f"`negsample data fetch {advised} --from '{path}'` reads it" in message
    fetch(SOURCES[advised], path)
    assert rows(advised)[:2] == [(f"A{n:012X}", f"B00{n:07X}", (1400000000 + n) * SECOND) for n in (0, 1)]


def test_names_of_categories():
    assert SOURCES["amazon-2023-cds-and-vinyl"].address.endswith("/0core/rating_only/CDs_and_Vinyl.csv.gz")
    with pytest.raises(InputError, match=r"amazon-2023-CATEGORY, .*did you mean 'amazon-2023-movies-and-tv'"):
        public_dataset("amazon-2023-movies_and_TV")
