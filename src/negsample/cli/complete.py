"""What a shell completes: names of methods and of datasets. Files it completes itself, where no name fits."""

from __future__ import annotations


def methods(incomplete: str) -> list[str]:
    """Names after the last comma of ``incomplete``, each with what stands before it."""
    from negsample.methods import METHODS
    from negsample.models.baselines import BASELINES

    before, comma, last = incomplete.rpartition(",")
    given = before.split(",")
    return [f"{before}{comma}{name}" for name in (*METHODS, *BASELINES) if name.startswith(last) and name not in given]


def datasets(incomplete: str) -> list[str]:
    """Names of known datasets."""
    from negsample.data.bundled import BUNDLED

    return [*(name for name in BUNDLED if name.startswith(incomplete)), *public_datasets(incomplete)]


def public_datasets(incomplete: str) -> list[str]:
    """Names of the datasets that can be fetched."""
    from negsample.data.sources.catalogue import SOURCES

    return [name for name in SOURCES if name.startswith(incomplete)]
