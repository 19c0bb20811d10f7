"""MovieLens: all ratings are events."""

from __future__ import annotations

from negsample.data.sources.forms import Lines
from negsample.data.sources.source import Edition, Official, Source

_CITATION = (
    "F. M. Harper and J. A. Konstan (2015). The MovieLens Datasets: History and Context. ACM Transactions on "
    "Interactive Intelligent Systems 5(4). https://doi.org/10.1145/2827872"
)
_TERMS = "Research use, to be cited; not commercial, not passed on without GroupLens' permission (see its README)."
_SHARED = "Research use, to be cited; not commercial without GroupLens' permission (see its README)."
_GROUPS = r"(?<user>[0-9]{1,18}){0}(?<item>[0-9]{1,18}){0}(?<rating>[0-9](?:\.[0-9])?){0}(?<time>[0-9]{1,12})"
_HEADER = ("userId,movieId,rating,timestamp",)


def _movielens(
    version: str,
    events: int,
    what: str,
    archive: Official,
    file: Official,
    delimiter: str = "::",
    headers: tuple[str, ...] = (),
    terms: str = _TERMS,
) -> Source:
    row = delimiter.replace("\t", "<tab>").join(("user", "item", "rating", "seconds since 1970"))
    return Source(
        name=f"movielens-{version}",
        what=f"ratings of films, {what}",
        events=events,
        page=f"https://grouplens.org/datasets/movielens/{version}/",
        address=f"https://files.grouplens.org/datasets/movielens/{archive.name}",
        edition=Edition(archive, (file,), Lines(f"^{_GROUPS.replace('{0}', delimiter)}$", row, headers)),
        terms=terms,
        citation=_CITATION,
    )


MOVIELENS = (
    _movielens(
        "100k",
        100_000,
        "1997 to 1998: 943 users, 1,682 films",
        Official("ml-100k.zip", 4_924_029, "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"),
        Official("u.data", 1_979_173, "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"),
        delimiter="\t",
    ),
    _movielens(
        "1m",
        1_000_209,
        "2000 to 2003: 6,040 users, 3,706 films",
        Official("ml-1m.zip", 5_917_549, "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20"),
        Official("ratings.dat", 24_594_131, "506d64ca44484487c11dc2d9a28de5c54948213e6b96285e298afe28d6ea4e0f"),
    ),
    _movielens(
        "10m",
        10_000_054,
        "1995 to 2009: 69,878 users, 10,677 films; one of the paper's three",
        Official("ml-10m.zip", 65_566_137, "813c411ccb6122564edfe752e7f80c4dcc5aa25fa94c93622f6877a7ba252862"),
        Official("ratings.dat", 265_105_635),
    ),
    _movielens(
        "20m",
        20_000_263,
        "1995 to 2015: 138,493 users, 26,744 films",
        Official("ml-20m.zip", 198_702_078, "96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3"),
        Official("ratings.csv", 533_444_411),
        delimiter=",",
        headers=_HEADER,
        terms=_SHARED,
    ),
    _movielens(
        "32m",
        32_000_204,
        "1995 to 2023: 200,948 users",
        Official("ml-32m.zip", 238_950_008, "e4a68655d7386b8f95f2f2424b2ff975dfdd15ffd59e0d864a14dca43e99d6ee"),
        Official("ratings.csv", 877_076_222, "91159850e41ee59c86231165a688709647e2726cab2e7ba9faf04001bd5261ee"),
        delimiter=",",
        headers=_HEADER,
        terms=_SHARED,
    ),
)
