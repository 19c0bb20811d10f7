"""Amazon product data of 2014, ratings of the category Beauty: user, item, rating, time, without a header.

The log has the ratings of users and items with at least five, both counted once over the official file, as in SASRec's
preprocessing (Kang and McAuley, 2018). Whether the paper used these, and where the checksum is from: docs/datasets.md.
"""

from __future__ import annotations

from negsample.data.sources.sessions import sequences
from negsample.data.sources.source import Form, Official, Source

AMAZON_BEAUTY = Source(
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

AMAZON_BEAUTY_SEQUENCES = AMAZON_BEAUTY._replace(
    name="amazon-beauty-sequences",
    what="the same file by the rule of Hidasi and Czapp, which the paper may have followed",
    shape=sequences,
    at_least=1,
)
