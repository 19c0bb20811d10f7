"""RetailRocket: what the visitors of a shop did in 2015, published at Kaggle, which asks for an account.

The log is made of the views; a user is a session. By which rule the paper made sessions is not in its text.

Known: the paper's published results (``data/all_results.csv`` of its repository) rest on 443 test events with history.
That is what sessions leave which go on across the cut; visitors who come back would leave thousands. By its Table 2
the median item of the tail is in 0.003 % of the sequences: if items have five events, there are over 100,000.

Inferred: its code takes ``SessionId``, ``ItemId`` and ``Time`` from a file ``retailrocket_full.tsv``, and its list
of links is that of Hidasi and Czapp (2023, ``recsys_eval_flaws``), whose script writes such a file,
``retailrocket_processed_view_full.tsv``. So their rule is followed: sessions over all events, an hour apart; of these
the views; without repeats of the item just seen; then sessions with one event and items with fewer than five are left
out in turn, until none is left. ``session-rec`` (Ludewig and Jannach), the other one in use, has half an hour, keeps
repeats, and leaves out once.

SHA-256 and size of ``events.csv``: several repositories on GitHub agree. Kaggle's archive has no fixed checksum.
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
    terms="CC BY-NC-SA 4.0, as Kaggle says; behind an account there.",
    citation="Retailrocket recommender system dataset. https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset",
    shape=partial(view_sessions, gap=GAP),
)
