"""The table of the public datasets."""

from __future__ import annotations

from negsample.data.sources.amazon import AMAZON_BEAUTY, AMAZON_BEAUTY_SEQUENCES
from negsample.data.sources.movielens import MOVIELENS
from negsample.data.sources.retailrocket import RETAILROCKET
from negsample.data.sources.source import Source

SOURCES: dict[str, Source] = {
    source.name: source for source in (*MOVIELENS, AMAZON_BEAUTY, AMAZON_BEAUTY_SEQUENCES, RETAILROCKET)
}
