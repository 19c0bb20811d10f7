"""The script that draws charts in a page."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib.metadata import version

import vl_convert

from negsample.files.atomic import replacing
from negsample.files.folders import cache_folder

_END = "window.vegaEmbed="


@cache
def vega() -> str:
    """Vega, Vega-Lite and Vega-Embed, for a script element.

    It is the same for a version of ``vl_convert``, which takes two seconds to make it, so it is kept in the cache.
    """
    kept = cache_folder() / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError, UnicodeDecodeError):
        if _END in (bundle := kept.read_text("utf-8"))[-100:]:
            return bundle
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    assert "</script" not in bundle.lower(), "the bundle would end its own script element"
    with suppress(OSError), replacing(kept) as temporary:  # a report needs no cache
        temporary.write_text(bundle, encoding="utf-8", newline="")
    return bundle
