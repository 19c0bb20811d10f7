"""What a caller adds to a report: a report itself carries no paper's claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import polars as pl
from markupsafe import Markup

from negsample.analysis.analyse import Analysis


class Supplement(NamedTuple):
    """``by_dataset``: HTML that stands below a dataset's table; ``section``: HTML that stands after all datasets;
    ``files``: tables that are written beside the page, by file name."""

    by_dataset: Mapping[str, Markup] = {}
    section: Markup = Markup("")
    files: Mapping[str, pl.DataFrame] = {}


Supplementing = Callable[[Analysis], Supplement]
"""Makes a supplement of what was found."""
