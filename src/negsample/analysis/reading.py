"""A study, read back from its folder and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from numpy.typing import NDArray

from negsample.analysis.tunings import read_tunings
from negsample.errors import InputError
from negsample.files.checksums import LIST, Checksums
from negsample.files.folders import arrays_of
from negsample.files.together import settled
from negsample.runs.failed import Failed, read_failed
from negsample.runs.folder import Grid, Run, read_grid, read_run
from negsample.runs.tunings import TuningSummary

POPULAR = "PopRec"
"""The baseline that is measured and never trained; the last method of every study."""

_STUDY_KEYS = (
    "format",
    "negsample",
    "created",
    "datasets",
    "methods",
    "repeats",
    "settings",
    "runs",
    "machine",
)


class Study(NamedTuple):
    """A study and its finished runs.

    ``about``: study.json. ``manifests``: the datasets' manifests by name, in the study's order. ``runs``: the
    finished ones, in the study's order. ``listed``: how many runs the study has, finished or not. ``grids``: what
    each run, by its folder, gave at each setting of the dial (:func:`negsample.runs.folder.read_grid`).
    ``events``: by dataset, of the E measured test events, in the order of the runs' ranks: ``user_E``, ``cohort_E`` and
    ``percentile_E``, the share of the train events that are of less popular items.
    ``tunings``: how methods were tuned, by dataset and method; empty where none was. ``oversampling``: finished runs
    beside the study's, which differ from them in ``oversampling_factor`` and stand in no table. ``failures``: runs of
    both kinds that failed when they were last tried.
    """

    folder: Path
    about: dict[str, Any]
    manifests: dict[str, dict[str, Any]]
    runs: list[Run]
    listed: int
    grids: dict[Path, Grid]
    events: dict[str, dict[str, NDArray[Any]]]
    tunings: dict[tuple[str, str], TuningSummary]
    oversampling: list[Run]
    failures: list[Failed]

    def figures(self, run: Run, part: str) -> dict[float, dict[str, Any]]:
        """What ``run`` gave on ``valid`` or ``test``, by setting of the dial."""
        grid = self.grids[run.folder]
        return dict(zip(grid.betas, grid.valid if part == "valid" else grid.test, strict=True))

    def unreached(self) -> list[Run]:
        """The runs that no setting of the dial brings to the Balance that was asked for."""
        return [run for run in self.runs if not run.metrics["dial_reached"]]

    def trained(self) -> list[Run]:
        """The finished runs but those of PopRec."""
        return [run for run in self.runs if run.config["method"] != POPULAR]

    @property
    def missing(self) -> int:
        """How many of the runs that it lists are neither finished nor failed."""
        listed = set(self.about["runs"])
        return self.listed - len(self.runs) - sum(each.run in listed for each in self.failures)

    def failures_of(self, dataset: str) -> list[Failed]:
        """The runs on ``dataset`` that failed when they were last tried, in the study's order."""
        return [each for each in self.failures if each.dataset == dataset]

    def runs_of(self, dataset: str, method: str | None = None) -> list[Run]:
        """The finished runs on ``dataset``, of one method or of all."""
        return [run for run in self.runs if run.config["dataset"] == dataset and method in (None, run.config["method"])]

    def methods_of(self, dataset: str) -> list[str]:
        """The methods with a finished run on ``dataset``, in the study's order."""
        finished = {run.config["method"] for run in self.runs_of(dataset)}
        return [method for method in self.about["methods"] if method in finished]

    def tunings_of(self, dataset: str) -> list[TuningSummary]:
        """How the methods of ``dataset`` were tuned, in the study's order."""
        return [tuning for (name, _), tuning in self.tunings.items() if name == dataset]

    @property
    def published_settings(self) -> bool:
        """Whether its runs have the settings that the paper published."""
        return str(self.about.get("preset", "default")) != "default"

    def table(self) -> pl.DataFrame:
        """One row a (dataset, method): means over its runs, and how many failed; as ``table.csv``."""
        from negsample.analysis.tables import table_with_failures  # they are made of studies

        return table_with_failures(self)

    def frontier(self) -> pl.DataFrame:
        """One row a run at every setting of the dial; as ``frontier.csv``."""
        from negsample.analysis.tables import frontier_table

        return frontier_table(self)

    def significance(self) -> pl.DataFrame:
        """One row a comparison of two methods, with its p; as ``significance.csv``."""
        from negsample.analysis.analyse import analyse

        return analyse(self).significance()

    @property
    def report_path(self) -> Path:
        """The page, where a report was written."""
        return self.folder / "report.html"

    def __repr__(self) -> str:
        methods, datasets = len(self.about["methods"]), ", ".join(self.manifests)
        return f"<Study {str(self.folder)!r}: {datasets}; {methods} methods, {len(self.runs)} of {self.listed} runs>"

    def _repr_html_(self) -> str:
        columns = ["dataset", "method", "runs", "failed", "ndcg@10", "hr@10", "balance@10", "coverage@10"]
        shown: str = self.table().select(columns).with_columns(pl.col(pl.Float64).round(4))._repr_html_()
        return f"<p>{escape(repr(self))}</p>{shown}"

    def datasets(self) -> list[str]:
        """The datasets with a finished run, in the study's order."""
        return [name for name in self.manifests if self.runs_of(name)]


def read_study(folder: Path) -> Study:
    """The study in ``folder``; runs that are not (yet) finished are left out and counted.

    Raises:
        InputError: there is no study, a file is damaged, the runs do not fit together, or none is finished.
    """
    if not (folder / "study.json").is_file() and not (folder / LIST).is_file():
        raise InputError(f"{folder} holds no study (study.json); `negsample compare` makes one")
    about, manifests, events = settled(folder / LIST, "study", _of_study)
    folders = [folder / "runs" / name for name in about["runs"]]
    runs = _finished(folders)
    if not runs:
        raise InputError(f"{folder} has no finished run yet: 0 of {len(folders)}; run `negsample compare` again")
    for run in runs:
        _check_run(run, about, manifests)
    _check_together(runs)
    grids = {run.folder: _grid(run, events[run.config["dataset"]]) for run in runs}
    tunings = read_tunings(folder / "tuning", about, manifests)
    beside = _oversampling(folder, about, manifests)
    failures = read_failed(folder, list(dict.fromkeys([*about["runs"], *about.get("oversampling", [])])))
    return Study(folder, about, manifests, runs, len(folders), grids, events, tunings, beside, failures)


def _grid(run: Run, events: Mapping[str, NDArray[Any]]) -> Grid:
    if (measured := run.metrics["test"].get("events")) != len(events["user_E"]):
        raise InputError(
            f"{run.folder} was measured on {measured} test events, the study has {len(events['user_E'])};"
            " delete the run and run again"
        )
    return read_grid(run.folder)


def _oversampling(folder: Path, about: Mapping[str, Any], manifests: Mapping[str, Mapping[str, Any]]) -> list[Run]:
    """The finished runs that were made to compare factors of oversampling; those of one factor fit together."""
    names = about.get("oversampling", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"{folder / 'study.json'} is damaged ('oversampling' is {names!r}); run `negsample compare` again"
        )
    folders = [folder / "runs" / name for name in dict.fromkeys(names) if name not in about["runs"]]
    runs = _finished(folders)
    by_factor: dict[Any, list[Run]] = {}
    for run in runs:
        _check_run(run, about, manifests)
        by_factor.setdefault(run.config["settings"].get("oversampling_factor"), []).append(run)
    for alike in by_factor.values():
        _check_together(alike)
    return runs


def is_of_study(name: str) -> bool:
    """Whether a file of a study's list is what its report is made of, and not the report."""
    return name == "study.json" or name.startswith("datasets/")


def _finished(folders: Iterable[Path]) -> list[Run]:
    """The runs that are there; one that is not finished has no folder yet."""
    return [read_run(each) for each in folders if each.exists()]


def _of_study(
    listed: Checksums,
) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, dict[str, NDArray[Any]]]]:
    """``study.json``, and of each dataset its manifest and the measured events, where it has them.

    The datasets go by the names that stand in their manifests: a file name cannot hold every one.
    """
    about = _read(listed, "study.json")
    _need(about, _STUDY_KEYS, listed, "study.json")
    if about["format"] != 1:
        raise InputError(f"{listed.folder / 'study.json'}: format {about['format']!r} is not known here, only 1 is")
    found: dict[str, tuple[dict[str, Any], dict[str, NDArray[Any]]]] = {}
    for path in (each for each in listed.files if each.startswith("datasets/") and each.endswith(".json")):
        manifest, events = _read(listed, path), f"{path.removesuffix('.json')}.npz"
        _need(manifest, ("name", "fingerprint", "cohorts", "popularity_curve"), listed, path)
        if events not in listed.files:
            raise listed.damaged(events, "it is missing")
        if manifest["name"] in found:
            raise listed.damaged(path, f"it is a second manifest of '{manifest['name']}'")
        names = ("user_E", "cohort_E", "percentile_E")
        found[manifest["name"]] = manifest, arrays_of(listed, events, names)
    for name in about["datasets"]:
        if name not in found:
            raise listed.damaged("study.json", f"it lists the dataset '{name}', which has no manifest")
    manifests = {name: found[name][0] for name in about["datasets"]}
    return about, manifests, {name: found[name][1] for name in manifests}


def _check_run(run: Run, about: Mapping[str, Any], manifests: Mapping[str, Mapping[str, Any]]) -> None:
    dataset, method = run.config["dataset"], run.config["method"]
    if dataset not in manifests or method not in about["methods"]:
        raise InputError(f"{run.folder} is {method} on {dataset}, which study.json does not list")
    if run.config["dataset_fingerprint"] != manifests[dataset]["fingerprint"]:
        raise InputError(
            f"{run.folder} was made on another version of '{dataset}' (fingerprint"
            f" {run.config['dataset_fingerprint']}, the study's is {manifests[dataset]['fingerprint']});"
            " delete the run and run again"
        )


def _check_together(runs: list[Run]) -> None:
    """Runs that are averaged must differ in their seed, and in nothing else."""
    seen: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        peers = seen.setdefault((run.config["dataset"], run.config["method"]), [])
        for peer in peers:
            if peer.config["seed"] == run.config["seed"]:
                raise InputError(f"{peer.folder} and {run.folder} are the same run twice; delete one")
            for key in ("settings", "negatives"):
                if peer.config[key] != run.config[key]:
                    raise InputError(f"{peer.folder} and {run.folder} differ in their {key}: no mean of them")
        peers.append(run)


def _read(listed: Checksums, name: str) -> dict[str, Any]:
    value = listed.read_json(name)
    if not isinstance(value, dict):
        raise listed.damaged(name, "no JSON object")
    return value


def _need(value: Mapping[str, Any], keys: Iterable[str], listed: Checksums, name: str) -> None:
    for key in keys:
        if key not in value:
            raise listed.damaged(name, f"'{key}' is missing")
