"""Which public datasets there are.

Where sizes, checksums and rules are from: docs/datasets.md.
"""

from __future__ import annotations

from negsample.data.sources.amazon import AMAZON
from negsample.data.sources.behaviour import KUAIRAND, OTTO, RETAILROCKET, STEAM, VK_LSVD, YAMBDA, YELP
from negsample.data.sources.movielens import MOVIELENS
from negsample.data.sources.source import Source

_ALL = (*MOVIELENS, *AMAZON, RETAILROCKET, OTTO, YAMBDA, VK_LSVD, *KUAIRAND, STEAM, YELP)
SOURCES: dict[str, Source] = {source.name: source for source in _ALL}


def families() -> dict[str, list[Source]]:
    """The datasets by their names; similar ones together, as ``amazon-2023-CATEGORY``."""
    found = dict[str, list[Source]]()
    for source in SOURCES.values():
        found.setdefault(f"{source.family}CATEGORY" if source.family else source.name, []).append(source)
    return found
