"""What a public dataset is: its official files, how they are read, and how they become a log."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from negsample.data.sources.forms import Form
from negsample.data.sources.shapes import Shape, all_rows
from negsample.files.checksums import Sum


class Official(NamedTuple):
    """A file as its publisher has it: ``size`` in bytes, ``sha256`` and ``md5`` in hex digits; None: not known."""

    name: str
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None

    def verdict(self, found: Sum, path: Path | None = None) -> tuple[bool | None, str]:
        """Whether a file is this one (None: it cannot be known), and if not, why; ``path``: read where needed."""
        if self.size not in (None, found.size):
            return False, f"it has {found.size:,} bytes, {self.name} has {self.size:,}"
        if self.sha256 is None and self.md5 and path:
            with path.open("rb") as file:
                md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
            return md5 == self.md5, "" if md5 == self.md5 else f"its md5 is {md5}, that of {self.name} is {self.md5}"
        if self.sha256 is None:
            size = "size agrees, its checksum" if self.size else "size and checksum"
            return None, f"its {size} cannot be compared: none is known of {self.name}"
        if self.sha256 != found.sha256:
            return False, f"its sha256 is {found.sha256}, that of {self.name} is {self.sha256}"
        return True, ""


class Edition(NamedTuple):
    """Official files of one form: ``files``, in the order of the log, by themselves or in ``archive``."""

    archive: Official | None
    files: tuple[Official, ...]
    form: Form

    def names(self) -> str:
        """What `--from` takes."""
        first, last = self.files[0].name, self.files[-1].name
        several = f"a folder with the {len(self.files)} files {first} to {last}"
        files = first if len(self.files) == 1 else several
        return f"{self.archive.name} or {files}" if self.archive else files


class Source(NamedTuple):
    """A public dataset.

    ``events``: rows of the official files; text where the publisher rounds them. ``page``: where it is described.
    ``address``: of the archive, or of the file where there is none; None: it cannot be downloaded without a person, as
    ``page`` ... ``gate``. ``shape``: from its rows (see :mod:`negsample.data.sources.forms`) to those of the log, and a
    sentence on each step; a log may have a column ``part`` (0 train, 1 validation, 2 test), its publisher's split.
    ``at_least``: events that users and items have at least, both counted once over the log. ``rule``: a number, raised
    when form or shape give another log. ``records``: the same as JSON lines, for those who have that. ``family``: the
    beginning of the names of similar datasets, which lists show as one.
    """

    name: str
    what: str
    events: int | str
    page: str
    address: str | None
    edition: Edition
    terms: str
    citation: str
    shape: Shape = all_rows
    at_least: int = 1
    rule: int = 1
    gate: str = "asks for an account"
    records: Edition | None = None
    family: str = ""

    def names(self) -> str:
        """What `--from` takes."""
        return self.edition.names() + (f" (or {self.records.names()})" if self.records else "")

    def editions(self) -> tuple[Edition, ...]:
        """One, or two."""
        return (self.edition, self.records) if self.records else (self.edition,)
