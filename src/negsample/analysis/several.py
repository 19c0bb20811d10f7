"""Several studies beside one another: what each is called, and which of them are of the same log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from negsample.analysis.analyse import DatasetAnalysis
from negsample.analysis.study import Study
from negsample.analysis.two_studies import Change, Side, change
from negsample.errors import InputError, guarded


class Several(NamedTuple):
    """``labels``: of each of ``studies``. ``logs``: of each log, the studies with a finished run on it, in their order.

    A log is the same in two studies if it has the same name, or the same events.
    """

    studies: tuple[Study, ...]
    labels: tuple[str, ...]
    logs: tuple[tuple[Side, ...], ...]

    @property
    def repeated(self) -> list[str]:
        """The logs that stand in more than one study."""
        return [sides[-1].found.dataset for sides in self.logs if len(sides) > 1]

    def changes(self) -> list[Change]:
        """Of each log that stands in several studies, from the first of them to each later one."""
        return [change(sides[0], later) for sides in self.logs for later in sides[1:]]

    def over_logs(self) -> dict[str, DatasetAnalysis]:
        """By its name, what was found on each log; empty where one stands in several studies."""
        return {} if self.repeated else {sides[0].found.dataset: sides[0].found for sides in self.logs}


def several(studies: Sequence[Study]) -> Several:
    """The ``studies`` beside one another.

    Raises:
        InputError: there are fewer than two, or one is there twice.
    """
    folders = [study.folder.resolve() for study in studies]
    if len(folders) < 2:
        raise InputError(f"several studies are two or more, got {len(folders)}")
    twice = next((folder for at, folder in enumerate(folders) if folder in folders[:at]), None)
    if twice is not None:
        raise InputError(f"{twice} is given twice; give each study once")
    labels = _labels(folders)
    logs: list[list[Side]] = []
    for study, label in zip(studies, labels, strict=True):
        for found in study.analysis.datasets.values():
            side = Side(label, study, found)
            same = next((sides for sides in logs if any(_same_log(side, each) for each in sides)), None)
            if same is None:
                logs.append([side])
            else:
                same.append(side)
    return Several(tuple(studies), labels, tuple(tuple(sides) for sides in logs))


def _same_log(a: Side, b: Side) -> bool:
    """Two datasets of one study are two logs, whatever they hold."""
    if a.study is b.study:
        return False
    prints = [side.study.manifests[side.found.dataset]["fingerprint"] for side in (a, b)]
    return a.found.dataset == b.found.dataset or prints[0] == prints[1]


def _labels(folders: Sequence[Path]) -> tuple[str, ...]:
    """The name of each folder, with as many of those above it as it takes to tell them apart."""
    for deep in range(1, max(len(folder.parts) for folder in folders) + 1):
        labels = tuple("/".join(folder.parts[-deep:]) for folder in folders)
        if len(set(labels)) == len(labels):
            return labels
    return tuple(map(str, folders))


@guarded
def changes_between(before: Study, after: Study) -> list[Change]:
    """What changed between two studies, by log.

    Raises:
        InputError: one is no study, they have no log in common, or are the same.
    """
    found = several([before, after]).changes()
    if not found:
        names = [", ".join(study.datasets()) for study in (before, after)]
        raise InputError(f"the studies have no log in common: {names[0]}; and {names[1]}")
    return found
