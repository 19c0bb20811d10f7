"""RetailRocket: what the visitors of a shop did in 2015, published at Kaggle, which asks for an account.

The log has the views; a user is a session. The rule is that of Hidasi and Czapp (2023): sessions over all events, an
hour apart; of these the views; without repeats of the previous item; then sessions with one event and items with fewer
than five are left out in turn, until none is left. Why this rule, and where the checksum is from: docs/datasets.md.
"""

from __future__ import annotations

from functools import partial

from negsample.data.sources.sessions import view_sessions
from negsample.data.sources.source import Form, Official, Source

GAP = 3_600_000_000  # microseconds

RETAILROCKET = Source(
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
    shape=partial(view_sessions, gap=GAP),
)
