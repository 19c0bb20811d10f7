"""Which datasets come with the package? Each has its terms beside it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple


class Bundled(NamedTuple):
    """A dataset that comes with the package, in ``file`` of this folder."""

    file: str
    what: str
    events: int
    page: str
    terms: str

    def path(self) -> AbstractContextManager[Path]:
        """The file on disk, as long as the block lasts: the package may be an archive."""
        return as_file(files(__name__) / self.file)


BUNDLED = {
    "online-retail": Bundled(
        file="online-retail.parquet",
        what="purchases at a gift shop, 2010 to 2011: 4,339 customers, 3,665 goods",
        events=397_924,
        page="https://doi.org/10.24432/C5BW33",
        terms="CC BY 4.0 (Chen, 2015).",
    )
}
