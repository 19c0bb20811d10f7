"""Ratings at Amazon: the releases of 2014, 2018 and 2023.

Amazon Beauty (2014): ratings of users and items with at least five, both counted once over the official file, as in
SASRec's preprocessing (Kang and McAuley, 2018), or by the rule of Hidasi and Czapp (2023). 2023: the pure ids of a
category, each user's first review of an item (0-core), split at the times of its publishers.
"""

from __future__ import annotations

import json

from negsample.data.sources.forms import Lines, Records
from negsample.data.sources.records import amazon_review
from negsample.data.sources.shapes import first_reviews, sequences
from negsample.data.sources.source import Edition, Official, Source

_TERMS = "No licence was found; published for research, to be cited."
_ITEM, _USER = "[B0-9][0-9A-Z]{9}", "A[0-9A-Z]{8,}"  # as nearly all are
_RATING_TIME = r"(?<rating>[0-9](?:\.[0-9])?),(?<time>[0-9]{1,12})$"
_FETCH = "`negsample data fetch {} --from FILE` reads it"

_BEAUTY = Source(
    name="amazon-beauty",
    what="ratings of beauty products, to 2014; one of the paper's three",
    events=2_023_070,
    page="https://cseweb.ucsd.edu/~jmcauley/datasets/amazon/links.html",
    address="https://snap.stanford.edu/data/amazon/productGraph/categoryFiles/ratings_Beauty.csv",
    edition=Edition(
        None,
        (Official("ratings_Beauty.csv", None, "17d5232b90444beecfe758ce1446e5300230491f3a88ac802992ca95fc4c150f"),),
        Lines(
            rf"^(?<user>[^,\s]+),(?<item>[^,\s]+),{_RATING_TIME}",
            "user,item,rating,seconds since 1970",
            ("UserId,ProductId,Rating,Timestamp",),  # as at Kaggle
            other=(
                f"^{_ITEM},{_USER},",
                f"the release of 2018, which has the item before the user; {_FETCH.format('amazon-beauty-2018')}",
            ),
        ),
    ),
    terms=_TERMS,
    citation=(
        "J. McAuley, C. Targett, Q. Shi and A. van den Hengel (2015). Image-based Recommendations on Styles and "
        "Substitutes. SIGIR. https://doi.org/10.1145/2766462.2767755"
    ),
    at_least=5,
)
_BEAUTY_2018 = Source(
    name="amazon-beauty-2018",
    what="ratings of beauty products, to 2018: All_Beauty, much smaller than that of 2014",
    events=371_345,
    page="https://cseweb.ucsd.edu/~jmcauley/datasets/amazon_v2/",
    address="https://mcauleylab.ucsd.edu/public_datasets/data/amazon_v2/categoryFilesSmall/All_Beauty.csv",
    edition=Edition(
        None,
        (Official("All_Beauty.csv", None, "b3d9260771f9fe489a61180b9ff407e15e10f481a287848f69bc4709b669246f"),),
        Lines(
            rf"^(?<item>[^,\s]+),(?<user>[^,\s]+),{_RATING_TIME}",
            "item,user,rating,seconds since 1970",
            other=(
                f"^{_USER},{_ITEM},",
                f"the release of 2014, which has the user before the item; {_FETCH.format('amazon-beauty')}",
            ),
        ),
    ),
    terms=_TERMS,
    citation=(
        "J. Ni, J. Li and J. McAuley (2019). Justifying Recommendations using Distantly-Labeled Reviews and "
        "Fine-Grained Aspects. EMNLP-IJCNLP. https://doi.org/10.18653/v1/D19-1018"
    ),
)

_RATINGS_2023 = Lines(
    r"^(?<user>[^,]*),(?<item>[^,]*),(?<rating>[0-9.]*),(?<time>[0-9]{1,15})$",
    "user_id,parent_asin,rating,milliseconds since 1970",
    ("user_id,parent_asin,rating,timestamp",),
    "milliseconds",
)
_REVIEWS_2023 = Records(
    json.loads,
    amazon_review,
    '{"user_id": ..., "parent_asin": ..., "asin": ..., "timestamp": milliseconds since 1970, ...}',
    ("asin",),
)
_CATEGORIES = (  # as its publishers name them, with the events as they round them
    ("All_Beauty", "693.9K", "54b894e68ad965aa73cdb80d8695c1ed37679c46f38b6f97b21ab0fb585aab24"),
    ("Amazon_Fashion", "2.5M", "7d08f3ad3ec331eb95cabf5a85c8e65f82f958429a17131e6d391f54532c0310"),
    ("Appliances", "2.1M", "0096701a2521a5fc71c5cfca11e953b0eb48a94a1b6ee4be65cb680c1fd56976"),
    ("Arts_Crafts_and_Sewing", "8.8M", "05ca786b3f99269ba659d71891b55d23e37bd74ab6cec0b53214ccb656308bb3"),
    ("Automotive", "19.7M", "9dda260d1d2cb91d0f967d0b4bfa0a09fda2904432023234569e45a6a30c48d3"),
    ("Baby_Products", "6.0M", "e2a8d0498afed767ee2615db7fac549559d82490b1a73c7241b84b5e9e8c279e"),
    ("Beauty_and_Personal_Care", "23.6M", "dd89a914e8c71d811c49a7e8fbdfc251c08bffb461b9544275e94018cb17f741"),
    ("Books", "29.1M", "752e144c1d3804619711a6b21bd68a5505825064723bfcd5008ac26067abe04b"),
    ("CDs_and_Vinyl", "4.8M", "1bade4e428efcffb549b6b7cb1f62a8cde9644e19a981a210b11a4c9c1561e75"),
    ("Cell_Phones_and_Accessories", "20.6M", "1f6df616b0ae463c039f68c7082daec52d2c713b33adb57b85db3430a8e2373a"),
    ("Clothing_Shoes_and_Jewelry", "65.2M", "ee93396e811c03d077290b78e323228c58814a034e3e98d0339e5314d7f7a9a7"),
    ("Digital_Music", "128.8K", "dbd5ddd5398d0eb9cfe224c9cc60470ccfd9c55e76fc82653dd3f44f6796c2a1"),
    ("Electronics", "43.4M", "2ac3508c5d0ee55ed9fdc833629f751e0f0120b9a8cb30867c8c14b87911c170"),
    ("Gift_Cards", "149.9K", "abfd9636afc5cdc1f46082ac1f9661b7c617cbd9c8a75652ad6a567173a14807"),
    ("Grocery_and_Gourmet_Food", "14.1M", "4cb2da7f57dfe210eecf348ee16514d11460022f0ce4ed141aa66e3eb5410135"),
    ("Handmade_Products", "656.1K", "b024e3e4cb1b1f4c9cfbb44a506ea42f8b8430ee8caf0dfa69fef52b69ece408"),
    ("Health_and_Household", "25.3M", "0a8982f9915bd18ea61caf4341db95c3fe1478abee907e6a61fec838374d2dca"),
    ("Health_and_Personal_Care", "488.2K", "5516d99b9747abff99003a7e1518833c2d64b10196201b6e6e90673bee15964d"),
    ("Home_and_Kitchen", "66.6M", "9be4e2dc8b3dc513c02521644b2ae55f722b2941767e539dcfe518f6bdd4f70b"),
    ("Industrial_and_Scientific", "5.1M", "97aea590deb258f634caea04b63f038dceb5990bbc92cac87ce2a985f0f91595"),
    ("Kindle_Store", "25.3M", "ff546c451edfb403d10099912b816b11600e689a599621167d4847331fdc0a0d"),
    ("Magazine_Subscriptions", "70.9K", "4892619d97f810331c2a278176b2be616de10403be59e48efbe65c5c1e7904d2"),
    ("Movies_and_TV", "17.2M", "aa927ae5a4fc5262bfa6152ce522349f828760035242fd7e02b1dc139e867156"),
    ("Musical_Instruments", "3.0M", "042648a89f479aaa2af4664dcb49966dbaf07bd5ebab6957799f5fb4c5efa2e0"),
    ("Office_Products", "12.7M", "f91b5cfb6ed5ff52afe3e2f3ecc7918cbd8745b3241a8fc61011c3a41f23920b"),
    ("Patio_Lawn_and_Garden", "16.3M", "a1ea496e71e488c6b12823d479ed6375384b82f6794b38e66d12a5dcd20c392d"),
    ("Pet_Supplies", "16.6M", "cfc55406a1fbb507e4adfa18472e60a5de52fab3dd76f97fea25d30da1288003"),
    ("Software", "4.8M", "11687bdbedc0bfd9bf86368465dcab40f2450d1ea8eabd3c830ba8b339edd9c0"),
    ("Sports_and_Outdoors", "19.3M", "110617511c7303ca34d157b7d62fd20a02e412c3639b4c6e307a951fadf0414c"),
    ("Subscription_Boxes", "16.0K", "fb867ee253db3987ab3ceaf371da506df794b08c98cf9a99e9718d9e4e818188"),
    ("Tools_and_Home_Improvement", "26.6M", "5845ac062a2c165d540badac13f00a8cb8cdaa30deb670a9b41db19d92c6bd1d"),
    ("Toys_and_Games", "16M", "170fc8a18797c6091cf1b07bb3d97c13c94bfa030cf76c430bb8cac0dfb47a9f"),
    ("Video_Games", "4.6M", "30692f9806e33a7b5d8b599b73d7ca33dbfefb0abdfc1578052a101f2e64b3cd"),
)


def _amazon_2023(category: str, events: str, sha256: str) -> Source:
    words = category.replace("_", " ")
    return Source(
        name=f"amazon-2023-{category.replace('_', '-').lower()}",
        what=f"ratings to 2023: {words}",
        events=events,
        page="https://amazon-reviews-2023.github.io/data_processing/0core.html",
        address="https://mcauleylab.ucsd.edu/public_datasets/data/amazon_2023/benchmark/0core/rating_only/"
        f"{category}.csv.gz",
        edition=Edition(Official(f"{category}.csv.gz", None, sha256), (Official(f"{category}.csv"),), _RATINGS_2023),
        terms=_TERMS,
        citation=(
            "Y. Hou, J. Li, Z. He, A. Yan, X. Chen and J. McAuley (2024). Bridging Language and Items for Retrieval "
            "and Recommendation. https://arxiv.org/abs/2403.03952"
        ),
        shape=first_reviews,
        records=Edition(Official(f"{category}.jsonl.gz"), (Official(f"{category}.jsonl"),), _REVIEWS_2023),
        family="amazon-2023-",
    )


AMAZON = (
    _BEAUTY,
    _BEAUTY._replace(
        name="amazon-beauty-sequences",
        what="the same file by the rule of Hidasi and Czapp, which the paper may have followed",
        shape=sequences,
        at_least=1,
    ),
    _BEAUTY_2018,
    *(_amazon_2023(*each) for each in _CATEGORIES),
)
