"""The public datasets: their official files, and how the file with the events becomes a log.

Where sizes, checksums and rules are from: docs/datasets.md. MovieLens: all ratings are events. Amazon Beauty (2014):
ratings of users and items with at least five, both counted once over the official file, as in SASRec's preprocessing
(Kang and McAuley, 2018). RetailRocket: views by session, by the rule of Hidasi and Czapp (2023).
"""

from __future__ import annotations

from typing import NamedTuple

from negsample.data.sources.shapes import Shape, all_rows, sequences, view_sessions
from negsample.files.checksums import Sum


class Official(NamedTuple):
    """A file as its publisher has it: ``size`` in bytes, ``sha256`` in hex digits; None: not known."""

    name: str
    size: int | None = None
    sha256: str | None = None

    def verdict(self, found: Sum) -> tuple[bool | None, str]:
        """Whether a file is this one (None: it cannot be known), and if not, why."""
        if self.size not in (None, found.size):
            return False, f"it has {found.size:,} bytes, {self.name} has {self.size:,}"
        if self.sha256 is None:
            size = "size agrees, its checksum" if self.size else "size and checksum"
            return None, f"its {size} cannot be compared: none is known of {self.name}"
        if self.sha256 != found.sha256:
            return False, f"its sha256 is {found.sha256}, that of {self.name} is {self.sha256}"
        return True, ""


class Form(NamedTuple):
    """The form of the lines of a file.

    ``pattern``: a whole line, with groups ``user``, ``item`` and ``time`` (whole numbers since 1970 in
    ``unit``) and others that the shape needs. ``row``: the same for people. ``headers``: lines that name
    the columns, as they are published; they are no rows, wherever they stand. ``other``: the pattern of a line of a
    file that looks like this one and means something else, and a description of that file.
    """

    pattern: str
    row: str
    headers: tuple[str, ...] = ()
    unit: str = "seconds"
    other: tuple[str, str] | None = None


class Source(NamedTuple):
    """A public dataset.

    ``events``: rows of the official file. ``page``: where it is described. ``address``: of ``archive``, or of
    ``file`` where there is none; None: the publisher asks for an account. ``file``: it holds the events, by itself or
    in the archive. ``shape``: from its rows (``user``, ``item`` as text, ``time`` in microseconds since 1970, other
    groups of the form as text) to those of the log, and a sentence on each step. ``at_least``: events that users and
    items have at least, both counted once over the log. ``rule``: a number, raised when form or shape give another log.
    """

    name: str
    what: str
    events: int
    page: str
    address: str | None
    archive: Official | None
    file: Official
    form: Form
    terms: str
    citation: str
    shape: Shape = all_rows
    at_least: int = 1
    rule: int = 1

    def names(self) -> str:
        """The files that `--from` takes."""
        return " or ".join(each.name for each in (self.archive, self.file) if each)


_MOVIELENS_CITATION = (
    "F. M. Harper and J. A. Konstan (2015). The MovieLens Datasets: History and Context. ACM Transactions on "
    "Interactive Intelligent Systems 5(4). https://doi.org/10.1145/2827872"
)
_MOVIELENS_TERMS = (
    "Research use, to be cited; not commercial, not passed on without GroupLens' permission (see its README)."
)
_GROUPS = r"(?<user>[0-9]{1,18}){0}(?<item>[0-9]{1,18}){0}(?<rating>[0-9](?:\.[0-9])?){0}(?<time>[0-9]{1,12})"


def _movielens(
    version: str,
    events: int,
    what: str,
    archive: Official,
    file: Official,
    delimiter: str = "::",
    headers: tuple[str, ...] = (),
    terms: str = _MOVIELENS_TERMS,
) -> Source:
    row = delimiter.replace("\t", "<tab>").join(("user", "item", "rating", "seconds since 1970"))
    return Source(
        name=f"movielens-{version}",
        what=f"ratings of films, {what}",
        events=events,
        page=f"https://grouplens.org/datasets/movielens/{version}/",
        address=f"https://files.grouplens.org/datasets/movielens/{archive.name}",
        archive=archive,
        file=file,
        form=Form(f"^{_GROUPS.replace('{0}', delimiter)}$", row, headers),
        terms=terms,
        citation=_MOVIELENS_CITATION,
    )


_AMAZON_BEAUTY = Source(
    name="amazon-beauty",
    what="ratings of beauty products, to 2014; one of the paper's three",
    events=2_023_070,
    page="https://cseweb.ucsd.edu/~jmcauley/datasets/amazon/links.html",
    address="https://snap.stanford.edu/data/amazon/productGraph/categoryFiles/ratings_Beauty.csv",
    archive=None,
    file=Official("ratings_Beauty.csv", None, "17d5232b90444beecfe758ce1446e5300230491f3a88ac802992ca95fc4c150f"),
    form=Form(
        r"^(?<user>[^,\s]+),(?<item>[^,\s]+),(?<rating>[0-9](?:\.[0-9])?),(?<time>[0-9]{1,12})$",
        "user,item,rating,seconds since 1970",
        ("UserId,ProductId,Rating,Timestamp",),  # as at Kaggle
        other=(
            r"^[B0-9][0-9A-Z]{9},A[0-9A-Z]{8,},",  # users of 2014 begin with A, items with a digit or B
            "the release of 2018, which has the item before the user; put the user first, or take the file of 2014",
        ),
    ),
    terms="No licence was found; published for research, to be cited.",
    citation=(
        "J. McAuley, C. Targett, Q. Shi and A. van den Hengel (2015). Image-based Recommendations on Styles and "
        "Substitutes. SIGIR. https://doi.org/10.1145/2766462.2767755"
    ),
    at_least=5,
)

_SOURCES = (
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
        headers=("userId,movieId,rating,timestamp",),
        terms="Research use, to be cited; not commercial without GroupLens' permission (see its README).",
    ),
    _AMAZON_BEAUTY,
    _AMAZON_BEAUTY._replace(
        name="amazon-beauty-sequences",
        what="the same file by the rule of Hidasi and Czapp, which the paper may have followed",
        shape=sequences,
        at_least=1,
    ),
    Source(
        name="retailrocket",
        what="events of a shop's visitors, 2015: the views, by session; one of the paper's three",
        events=2_756_101,
        page="https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset",
        address=None,
        archive=Official("archive.zip"),
        file=Official("events.csv", 94_237_913, "3745aa83238b1e6d44d8fda209807899f420084398f94ddf745f3cbcfecbf9e7"),
        form=Form(
            r"^(?<time>[0-9]{1,15}),(?<user>[0-9]{1,18}),(?<event>view|addtocart|transaction),(?<item>[0-9]{1,18}),[0-9]*$",
            "timestamp in milliseconds,visitorid,view|addtocart|transaction,itemid,transactionid or nothing",
            ("timestamp,visitorid,event,itemid,transactionid",),
            "milliseconds",
        ),
        terms="CC BY-NC-SA 4.0, according to Kaggle, which asks for an account.",
        citation="Retailrocket recommender system dataset. https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset",
        shape=view_sessions,
    ),
)
SOURCES = {source.name: source for source in _SOURCES}
