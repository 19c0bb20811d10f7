"""MovieLens: ratings of films by the users of movielens.org, published by GroupLens. All ratings are events.

Where sizes and checksums were found: sizes and SHA-256 of the archives of 100K, 1M and 20M in TensorFlow Datasets
(``url_checksums/movielens.txt``), of 10M in download records on GitHub that agree (OmniRec's loader among them). MD5:
GroupLens' own files ``ml-*.zip.md5``, as quoted there; records that hold both sums of one download show that they
belong together. Of the files inside: ``u.data`` was hashed here, ``ratings.dat`` of 1M is in records that agree, and
of 10M and 20M only the size was found.
"""

from __future__ import annotations

from negsample.data.sources.base import Form, Official, Source

_ADDRESS = "https://files.grouplens.org/datasets/movielens/"
_CITATION = (
    "F. M. Harper and J. A. Konstan (2015). The MovieLens Datasets: History and Context. ACM Transactions on "
    "Interactive Intelligent Systems 5(4). https://doi.org/10.1145/2827872"
)
_TERMS = "Research use, to be cited; not commercial, not passed on without GroupLens' permission (see its README)."
_GROUPS = r"(?<user>[0-9]{1,18}){0}(?<item>[0-9]{1,18}){0}(?<rating>[0-9](?:\.[0-9])?){0}(?<time>[0-9]{1,12})"


def _form(mark: str, headers: tuple[str, ...] = ()) -> Form:
    shown = "<tab>" if mark == "\t" else mark
    pattern = _GROUPS.replace("{0}", mark)
    return Form(f"^{pattern}$", shown.join(("user", "item", "rating", "seconds since 1970")), headers)


MOVIELENS = (
    Source(
        name="movielens-100k",
        what="ratings of films, 1997 to 1998: 943 users, 1,682 films",
        events=100_000,
        page="https://grouplens.org/datasets/movielens/100k/",
        address=_ADDRESS + "ml-100k.zip",
        archive=Official(
            "ml-100k.zip",
            4_924_029,
            "0e33842e24a9c977be4e0107933c0723",
            "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        ),
        file=Official(
            "u.data",
            1_979_173,
            sha256="06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
        ),
        form=_form("\t"),
        terms=_TERMS,
        citation=_CITATION,
    ),
    Source(
        name="movielens-1m",
        what="ratings of films, 2000 to 2003: 6,040 users, 3,706 films",
        events=1_000_209,
        page="https://grouplens.org/datasets/movielens/1m/",
        address=_ADDRESS + "ml-1m.zip",
        archive=Official(
            "ml-1m.zip",
            5_917_549,
            "c4d9eecfca2ab87c1945afe126590906",
            "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        ),
        file=Official(
            "ratings.dat",
            24_594_131,
            sha256="506d64ca44484487c11dc2d9a28de5c54948213e6b96285e298afe28d6ea4e0f",
        ),
        form=_form("::"),
        terms=_TERMS,
        citation=_CITATION,
    ),
    Source(
        name="movielens-10m",
        what="ratings of films, 1995 to 2009: 69,878 users, 10,677 films; one of the paper's three",
        events=10_000_054,
        page="https://grouplens.org/datasets/movielens/10m/",
        address=_ADDRESS + "ml-10m.zip",
        archive=Official(
            "ml-10m.zip",
            65_566_137,
            "ce571fd55effeba0271552578f2648bd",
            "813c411ccb6122564edfe752e7f80c4dcc5aa25fa94c93622f6877a7ba252862",
        ),
        file=Official("ratings.dat", 265_105_635),
        form=_form("::"),
        terms=_TERMS,
        citation=_CITATION,
    ),
    Source(
        name="movielens-20m",
        what="ratings of films, 1995 to 2015: 138,493 users, 26,744 films",
        events=20_000_263,
        page="https://grouplens.org/datasets/movielens/20m/",
        address=_ADDRESS + "ml-20m.zip",
        archive=Official(
            "ml-20m.zip",
            198_702_078,
            "cd245b17a1ae2cc31bb14903e1204af3",
            "96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
        ),
        file=Official("ratings.csv", 533_444_411),
        form=_form(",", ("userId,movieId,rating,timestamp",)),
        terms="Research use, to be cited; not commercial without GroupLens' permission (see its README).",
        citation=_CITATION,
    ),
)
