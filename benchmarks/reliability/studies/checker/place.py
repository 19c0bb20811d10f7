"""Where on the page something stands: what its sentences and tables are of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from benchmarks.reliability.studies.checker.advised import Advised
from benchmarks.reliability.studies.checker.compared import Comparisons
from benchmarks.reliability.studies.checker.page import Table
from benchmarks.reliability.studies.checker.raw import BASELINES, Raw, RawRun
from benchmarks.reliability.studies.checker.shown import listed

Faults = Iterator[str]


class Place:
    """A log's section of the page; of what stands outside all of them, the first log's.

    ``called``: the log on the page; ``label``: its study, empty where there is one; ``title``: the names in the title.
    """

    def __init__(self, raw: Raw, log: str, called: str = "", label: str = "", title: str = "") -> None:
        self.raw, self.log = raw, log
        self.called, self.label, self.title = called or log, label, title or listed(raw.shown)
        self.tables: dict[str, Table] = {}
        self.told: str | None = None

    @cached_property
    def compared(self) -> Comparisons:
        """What was tested."""
        return Comparisons(self.raw, self.log)

    @cached_property
    def advised(self) -> Advised:
        """What validation advises."""
        return Advised(self)

    def read(self, text: str) -> Faults:
        """The faults of sentences of this place."""
        from benchmarks.reliability.studies.checker.reading import read  # whose checks take a place

        return read(text, self)

    @cached_property
    def methods(self) -> list[str]:
        """With a finished run, in the study's order."""
        return self.raw.methods(self.log)

    @cached_property
    def trained(self) -> list[str]:
        """The same without baselines."""
        return [name for name in self.methods if name not in BASELINES]

    @cached_property
    def rules(self) -> list[str]:
        """The baselines."""
        return [name for name in self.methods if name in BASELINES]

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Of the log; of folds, that of the last one."""
        return self.raw.manifests[self.raw.logs[self.log][-1]]

    @cached_property
    def notes(self) -> list[str]:
        """What its manifest says in words."""
        return [*self.manifest["notes"], *filter(None, [self.manifest.get("not_in_time")])]

    @cached_property
    def test(self) -> Any:
        """Counts of the test events."""
        return self.raw.test(self.log)

    def runs(self, method: str | None = None) -> list[RawRun]:
        """The finished ones."""
        return self.raw.of(self.log, method)

    def mean(self, method: str, figure: str, beta: float | None = None, part: str = "test") -> float | None:
        """Of a figure over the runs."""
        return self.raw.mean(self.log, method, figure, beta, part)

    def best(self, figure: str, methods: Sequence[str], part: str = "test") -> float | None:
        """The highest mean of a figure, at the table's dial."""
        known = [value for name in methods if (value := self.mean(name, figure, None, part)) is not None]
        return max(known, default=None)
