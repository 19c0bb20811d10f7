"""Public datasets from the command line: listed, fetched from a file where there is no network, used by their names."""

from __future__ import annotations

import json
import zipfile

import polars as pl
import pytest

NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
NAMES = [
    "online-retail",
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


def done(finished):
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    return finished.stdout


def refused(finished, *words):
    assert finished.returncode == 2, finished.stderr
    assert finished.stderr.startswith("error: ")
    assert finished.stderr.count("\n") == 1
    assert "Traceback" not in finished.stdout + finished.stderr
    for word in words:
        assert word in finished.stderr


def ratings(users=60, steps=12, mark="::"):
    """``ratings.dat``: who rates which films, everybody one a day."""
    rows = [
        (user, (user * 7 + 5 * step) % 41 + 1, 5 - step % 2, 978_300_760 + 86_400 * step + 60 * user)
        for user in range(1, users + 1)
        for step in range(steps)
    ]
    return "".join(mark.join(map(str, row)) + "\n" for row in rows)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A small ``ml-1m.zip``, laid out as the official one."""
    path = tmp_path_factory.mktemp("given") / "ml-1m.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("ml-1m/", "")
        file.writestr("ml-1m/movies.dat", "1::Toy Story (1995)::Animation|Children's|Comedy\n")
        file.writestr("ml-1m/ratings.dat", ratings())
        file.writestr("ml-1m/README", "SUMMARY\n")
    return path


@pytest.fixture(scope="module")
def fetched(negsample, archive):
    return done(negsample("data", "fetch", "movielens-1m", "--from", archive, **NO_NETWORK))


def test_the_list_names_them_all_with_address_and_terms(negsample):
    said = done(negsample("data", "list"))
    lines = said.splitlines()
    for name in NAMES:
        assert any(line.startswith(f"{name} ") for line in lines), name
        assert any(line.startswith(f"{name}: https://") for line in lines), name
    for words in (
        "10,000,054",
        "about 4M",
        "all-beauty, ",
        "bundled",
        "asks for an account",
        "CC BY-NC-SA 4.0",
        "Research",
    ):
        assert words in said
    assert "movielens-10m: https://files.grouplens.org/datasets/movielens/ml-10m.zip" in lines


def test_fetch_from_a_file_says_loudly_that_it_is_not_the_official_one(negsample, fetched):
    assert "Fetched movielens-1m: " in fetched
    assert "NOT THE OFFICIAL FILE: it has " in fetched
    assert "ratings.dat has 24,594,131" in fetched
    assert "Harper" in fetched
    assert "Terms: Research use" in fetched
    listed = done(negsample("data", "list")).splitlines()
    assert any("movielens-1m" in line and "NOT OFFICIAL" in line for line in listed)


def test_what_is_fetched_is_not_fetched_again(negsample, fetched, archive):
    again = done(negsample("data", "fetch", "movielens-1m", **NO_NETWORK))
    assert "movielens-1m is fetched already: " in again
    assert "NOT THE OFFICIAL FILE" in again
    assert "was not read; to use it instead, delete " in done(
        negsample("data", "fetch", "movielens-1m", "--from", archive)
    )


def test_compare_takes_the_name(negsample, fetched, small, tmp_path):
    command = ("compare", "movielens-1m", "--methods", "random", "--epochs", 1, "--repeats", 1)
    said = done(negsample(*command, "--out", tmp_path / "study", *small))
    assert "NOT THE OFFICIAL FILE" in " ".join(said.split())
    table = pl.read_csv(tmp_path / "study" / "table.csv")
    assert table["dataset"].unique().to_list() == ["movielens-1m"]
    assert table["method"].to_list() == ["random", "PopRec"]


def test_train_takes_the_name_and_filters_on_top(negsample, fetched, small, tmp_path):
    options = ("--method", "random", "--epochs", 1, "--min-item-events", 18)
    done(negsample("train", "movielens-1m", *options, "--out", tmp_path / "run", *small))
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["dataset"] == "movielens-1m"
    refused(
        negsample("train", "movielens-1m", *options, "--user", "UserID", "--out", tmp_path / "x"),
        "movielens-1m has columns of its own, so user would have no effect",
    )


def test_what_is_bundled_needs_no_fetching(negsample):
    assert "online-retail is bundled: there is nothing to fetch" in done(negsample("data", "fetch", "online-retail"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["data"], ["no command given", "list, fetch", "data --help"]),
        (["data", "get"], ["no such command 'get'", "list, fetch"]),
        (["data", "fetch"], ["missing argument 'name'", "data fetch --help"]),
        (["data", "fetch", "movielens-10"], ["no public dataset 'movielens-10'", "did you mean 'movielens-10m'"]),
        (["data", "fetch", "zzz"], ["no public dataset 'zzz'", "movielens-100k", "retailrocket"]),
        (["data", "fetch", "retailrocket"], ["kaggle.com", "asks for an account", "events.csv", "--from FILE"]),
        (
            ["data", "fetch", "amazon-beauty", "--from", "gone.csv"],
            ["gone.csv does not exist", "--from takes ratings_Beauty.csv"],
        ),
        (
            ["data", "fetch", "movielens-10m"],
            [
                "https://files.grouplens.org/datasets/movielens/ml-10m.zip cannot be reached (",
                "`negsample data fetch movielens-10m --from FILE`",
            ],
        ),
        (
            ["train", "movielens-10m", "--method", "random", "--out", "x"],
            ["movielens-10m is not fetched yet: `negsample data fetch movielens-10m` downloads it", "--from FILE"],
        ),
        (["compare", "retailrocket", "--out", "x"], ["not fetched yet", "archive.zip or events.csv from https://www"]),
        (["train", "movielns-10m", "--method", "random", "--out", "x"], ["Did you mean movielens-10m?"]),
    ],
)
def test_refusals(negsample, tmp_path, arguments, words):
    refused(negsample(*arguments, cwd=tmp_path, **NO_NETWORK), *words)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_something_else_is_refused_and_not_kept(negsample, tmp_path):
    path = tmp_path / "ratings.dat"
    path.write_text(ratings(users=3) + "1::2::5\n")
    refused(
        negsample("data", "fetch", "movielens-10m", "--from", path),
        f"{path}, line 37: '1::2::5' is no row; a row is user::item::rating::seconds since 1970",
    )
    refused(negsample("train", "movielens-10m", "--method", "random", "--out", tmp_path / "x"), "not fetched yet")


def test_a_cache_that_cannot_be_written(negsample, archive, tmp_path):
    (tmp_path / "file").write_text("mine")
    refused(
        negsample("data", "fetch", "movielens-1m", "--from", archive, NEGSAMPLE_CACHE=str(tmp_path / "file")),
        "cannot write to",
        "NEGSAMPLE_CACHE",
    )
