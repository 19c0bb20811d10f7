"""What people did: views in shops (RetailRocket, OTTO), music (Yambda), short videos (VK-LSVD, KuaiRand), reviews
(Steam, Yelp).

RetailRocket: views by session, by the rule of Hidasi and Czapp (2023). OTTO: clicks, as its publisher's own
experiments have it. Yambda: listens to at least half of a track, as its benchmark has it. VK-LSVD: videos watched for
more than ten seconds, as its paper has it; the weeks are the split. KuaiRand: clicks or valid plays.
"""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from negsample.data.log.table import ROW
from negsample.data.sources.forms import Columns, Lines, Records
from negsample.data.sources.records import otto_session, steam_review, yelp_review
from negsample.data.sources.shapes import known, only, view_sessions
from negsample.data.sources.source import Edition, Official, Source

_WEEK = timedelta(weeks=1) // timedelta(microseconds=1)
_WEEKS, _VALIDATION, _TEST = 27, 25, 26  # of VK-LSVD; which are which
_VK_START = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * 10**6
_YAMBDA_START = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 10**6


def _yambda_time(path: Path) -> pl.Expr:
    return pl.col("timestamp").cast(pl.Int64) * 10**6 + _YAMBDA_START


def _vk_time(path: Path) -> pl.Expr:
    """The k-th of n rows of a week is k/n into it."""
    week = int(path.stem.removeprefix("week_"))
    rows: int = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
    return pl.col(ROW).cast(pl.Int64) * (_WEEK // max(rows, 1)) + _VK_START + _WEEK * week


RETAILROCKET = Source(
    name="retailrocket",
    what="events of a shop's visitors, 2015: the views, by session; one of the paper's three",
    events=2_756_101,
    page="https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset",
    address=None,
    edition=Edition(
        Official("archive.zip"),
        (Official("events.csv", 94_237_913, "3745aa83238b1e6d44d8fda209807899f420084398f94ddf745f3cbcfecbf9e7"),),
        Lines(
            r"^(?<time>[0-9]{1,15}),(?<user>[0-9]{1,18}),(?<event>view|addtocart|transaction),(?<item>[0-9]{1,18}),[0-9]*$",
            "timestamp in milliseconds,visitorid,view|addtocart|transaction,itemid,transactionid or nothing",
            ("timestamp,visitorid,event,itemid,transactionid",),
            "milliseconds",
        ),
    ),
    terms="CC BY-NC-SA 4.0, according to Kaggle, which asks for an account.",
    citation="Retailrocket recommender system dataset. https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset",
    shape=view_sessions,
)
OTTO = Source(
    name="otto",
    what="events of a shop's visitors, four weeks of 2022: the clicks",
    events=216_716_096,
    page="https://www.kaggle.com/datasets/otto/recsys-dataset",
    address=None,
    edition=Edition(
        Official("archive.zip"),
        (Official("otto-recsys-train.jsonl", 11_307_535_945),),
        Records(
            json.loads,
            otto_session,
            '{"session": 1, "events": [{"aid": 2, "ts": milliseconds since 1970, "type": "clicks"}, ...]}',
            ("type",),
        ),
    ),
    terms="CC BY 4.0, according to its repository; Kaggle asks for an account.",
    citation=(
        "P. Normann, S. Baumeister and T. Wilm (2022). OTTO Recommender Systems Dataset. "
        "https://doi.org/10.34740/KAGGLE/DSV/4991874"
    ),
    shape=only(pl.col("type") == "clicks", "clicks"),
)
YAMBDA = Source(
    name="yambda-50m",
    what="music that 10,000 people played in 300 days: the listens to at least half of a track",
    events=46_467_212,
    page="https://huggingface.co/datasets/yandex/yambda",
    address="https://huggingface.co/datasets/yandex/yambda/resolve/main/flat/50m/listens.parquet",
    edition=Edition(
        None,
        (Official("listens.parquet", 369_110_332, "eed9cbd094af1e189507d2f8132a0dc9653b90e65480125c7cdccd601e0592d1"),),
        Columns(
            "uid",
            "item_id",
            _yambda_time,
            "uid, timestamp, item_id, played_ratio_pct",
            ("timestamp", "played_ratio_pct"),
        ),
    ),
    terms="Apache License 2.0, according to its page.",
    citation=(
        "A. Ploshkin et al. (2025). Yambda-5B: A Large-Scale Multi-modal Dataset for Ranking And Retrieval. "
        "https://arxiv.org/abs/2505.22238"
    ),
    shape=only(
        pl.col("played_ratio_pct") >= 50,
        "at least half of the track was played",
        "Times are seconds from a beginning that is not published; here it is 2000-01-01.",
    ),
)
VK_LSVD = Source(
    name="vk-lsvd",
    what="short videos, 1 % of them, shown to 1 % of VK's users, half of 2025: those watched for over ten seconds",
    events="4M",
    page="https://huggingface.co/datasets/deepvk/VK-LSVD",
    address=None,
    edition=Edition(
        None,
        tuple(Official(f"week_{week:02}.parquet") for week in range(_WEEKS)),
        Columns("user_id", "item_id", _vk_time, "user_id, item_id, timespent", ("timespent",)),
    ),
    terms="Apache License 2.0, according to its page.",
    citation=(
        "A. Poslavsky, A. D'yakonov, Y. Dorn and A. Zimovnov (2026). VK-LSVD: A Large-Scale Industrial Dataset for "
        "Short-Video Recommendation. https://arxiv.org/abs/2602.04567"
    ),
    shape=only(
        pl.col("timespent") > 10,
        "watched for more than ten seconds",
        "There are no times, but weeks, and an order in them: the k-th of n rows of a week is taken to be k/n into it, "
        "and the first week to begin at 2025-01-01.",
        cuts=(_VK_START + _WEEK * _VALIDATION, _VK_START + _WEEK * _TEST),
    ),
    gate="has it in parts (`hf download deepvk/VK-LSVD --repo-type dataset --include 'subsamples/ur0.01_ir0.01/*' "
    "--local-dir VK-LSVD`)",
)


def _kuairand(version: str, events: int, what: str, archive: Official) -> Source:
    dates = ("4_08_to_4_21", "4_22_to_5_08")
    return Source(
        name=f"kuairand-{version}",
        what=f"short videos shown to {what}, a month of 2022: those clicked, or played for a while",
        events=events,
        page="https://kuairand.com",
        address=f"https://zenodo.org/records/10439422/files/{archive.name}",
        edition=Edition(
            archive,
            tuple(Official(f"log_standard_{each}_{version}.csv") for each in dates),
            Lines(
                r"^(?<user>[0-9]{1,18}),(?<item>[0-9]{1,18}),[0-9]{8},[0-9]{1,4},(?<time>[0-9]{1,15}),(?<click>[01])"
                r"(?:,[^,]*){13}$",
                "user_id,video_id,date,hourmin,time_ms,is_click and 13 others",
                (
                    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,"
                    "long_view,play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab",
                ),
                "milliseconds",
            ),
        ),
        terms="CC BY-SA 4.0.",
        citation=(
            "C. Gao et al. (2022). KuaiRand: An Unbiased Sequential Recommendation Dataset with Randomly Exposed "
            "Videos. CIKM. https://doi.org/10.1145/3511808.3557624"
        ),
        shape=only(pl.col("click") == "1", "a click or a valid play (is_click)"),
    )


KUAIRAND = (
    _kuairand(
        "1k",
        11_713_045,
        "1,000 users of Kuaishou",
        Official("KuaiRand-1K.tar.gz", 1_135_436_720, md5="6b0b9c8222d67fcd4c676218edca3f1f"),
    ),
    _kuairand(
        "pure",
        1_436_609,
        "27,285 users of Kuaishou (only 7,551 videos, so that sequences have gaps)",
        Official("KuaiRand-Pure.tar.gz", 47_432_272, md5="0820331067a3784d9691136f772b35a7"),
    ),
)
STEAM = Source(
    name="steam",
    what="reviews of games, 2010 to 2018: 2,567,538 users, 15,474 games",
    events=7_793_069,
    page="https://cseweb.ucsd.edu/~jmcauley/datasets.html#steam_data",
    address="https://cseweb.ucsd.edu/~wckang/steam_reviews.json.gz",
    edition=Edition(
        Official("steam_reviews.json.gz", None, "40c6343deedf488689987749c5f8435233da48c163fbaa2a7766c215d584bc61"),
        (Official("steam_reviews.json"),),
        Records(ast.literal_eval, steam_review, "{u'username': ..., u'product_id': ..., u'date': u'2017-12-17', ...}"),
    ),
    terms="No licence was found; published for research, to be cited.",
    citation=(
        "W.-C. Kang and J. McAuley (2018). Self-Attentive Sequential Recommendation. ICDM. "
        "https://doi.org/10.1109/ICDM.2018.00035"
    ),
    shape=known,
)
YELP = Source(
    name="yelp",
    what="reviews of restaurants and other businesses, 2005 to 2022",
    events=6_990_280,
    page="https://www.yelp.com/dataset",
    address=None,
    edition=Edition(
        Official("Yelp-JSON.zip", None, "7196433b8a43dd1cbbc3054c5ee85447a56d5fdee8652f8dc7aa5aad579ad7cd"),
        (Official("yelp_academic_dataset_review.json", 5_341_868_833),),
        Records(
            json.loads,
            yelp_review,
            '{"user_id": ..., "business_id": ..., "date": "2018-07-07 22:09:11", ...}',
        ),
    ),
    terms="Personal, educational and academic use, by Yelp's Dataset License.",
    citation="Yelp Open Dataset. https://www.yelp.com/dataset",
    shape=known,
    gate="asks that its terms be accepted",
)
