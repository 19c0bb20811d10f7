"""What a shell completes: names of methods and of datasets. Files it completes itself, where no name fits."""

from __future__ import annotations

# fmt: off
METHODS = [
    "random", "popularity", "in-batch", "mixed", "adaptive", "adaptive-mixed", "inverse-popularity", "gsasrec",
    "adaptive-in-batch", "tron", "cohort", "own-cohort", "recent", "recent-mixed-log-q", "bpr", "bpr-max",
    "dns", "dns-mn", "sampled-softmax", "sampled-softmax-log-q", "log-uniform", "mixed-log-q", "full-ce",
    "in-batch-softmax", "in-batch-log-q", "corrected-log-q", "batch-mix", "cross-batch", "xir", "RecentPop",
    "Repeat", "RepeatRecent", "ItemKNN", "EASE", "Terms", "PopRec",
]
# fmt: on
"""All methods and baselines. To ask :mod:`negsample.methods` for them takes seconds, as it loads PyTorch."""


def methods(incomplete: str) -> list[str]:
    """Names after the last comma of ``incomplete``, each with what stands before it."""
    before, comma, last = incomplete.rpartition(",")
    given = before.split(",")
    return [f"{before}{comma}{name}" for name in METHODS if name.startswith(last) and name not in given]


def datasets(incomplete: str) -> list[str]:
    """Names of known datasets."""
    from negsample.data.bundled import BUNDLED

    return [*(name for name in BUNDLED if name.startswith(incomplete)), *public_datasets(incomplete)]


def public_datasets(incomplete: str) -> list[str]:
    """Names of the datasets that can be fetched."""
    from negsample.data.sources.catalogue import SOURCES

    return [name for name in SOURCES if name.startswith(incomplete)]
