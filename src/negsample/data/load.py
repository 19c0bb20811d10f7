"""From what a person names to a prepared dataset: a bundled or a public one, a prepared folder, or a log."""

from __future__ import annotations

from contextlib import ExitStack
from difflib import get_close_matches
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal, NamedTuple

from negsample.data.cache import cache_folder
from negsample.data.dataset import Dataset, is_prepared, open_dataset
from negsample.data.log.files import log_files, log_name, readable
from negsample.data.log.read import read_log
from negsample.data.manifest import FORMAT
from negsample.data.names import safe_name
from negsample.data.prepare.pipeline import prepare
from negsample.data.sources.all_sources import SOURCES
from negsample.data.sources.convert import log_of
from negsample.data.sources.source import Source
from negsample.errors import InputError, guarded
from negsample.files.checksums import sum_of
from negsample.settings import PrepareSettings, checked, fingerprint


class Bundled(NamedTuple):
    """A dataset that comes with the package: ``file`` in ``negsample/data/bundled``."""

    file: str
    what: str
    events: int
    page: str
    terms: str


BUNDLED = {
    "online-retail": Bundled(
        file="online-retail.parquet",
        what="purchases at a gift shop, 2010 to 2011: 4,339 customers, 3,665 goods",
        events=397_924,
        page="https://doi.org/10.24432/C5BW33",
        terms="CC BY 4.0 (Chen, 2015).",
    )
}


@guarded
def load_dataset(
    what: str | Path, settings: PrepareSettings | None = None, *, split: Literal["timestamp", "paper"] | None = None
) -> Dataset:
    """The dataset that ``what`` names; a log is prepared on the fly, once, into the cache.

    Args:
        what: a name in ``BUNDLED`` or, once it is fetched, in ``SOURCES``, a prepared folder, or a log (a file or a
            folder of parts). What exists on disk goes before a name only when written as a path
            (``./online-retail``).
        settings: how a log is prepared; None: the defaults.
        split: how a log is cut, in the place of what ``settings`` say; of a prepared folder it asks nothing.

    Raises:
        InputError: nothing is there of that name, it is not fetched, it cannot be read, or settings are given that
            it could not follow any more.
    """
    asked = settings or checked(PrepareSettings, {})
    cut = asked if split is None else asked.model_copy(update={"split": split})
    if str(what) in SOURCES:
        return _from_source(SOURCES[str(what)], cut)
    with ExitStack() as stack:
        if str(what) in BUNDLED:
            path = stack.enter_context(as_file(files("negsample.data") / "bundled" / BUNDLED[str(what)].file))
        else:
            path = Path(what)
            with readable(path):
                if not str(what) or not path.exists():
                    raise InputError(_unknown(str(what)))
            if is_prepared(path):
                return _as_prepared(path, asked)
        return _from_cache(path, cut)


def _as_prepared(folder: Path, asked: PrepareSettings) -> Dataset:
    defaults = checked(PrepareSettings, {}).model_dump()
    given = [name for name, value in asked.model_dump().items() if value != defaults[name]]
    if given:
        raise InputError(
            f"{folder} is prepared already, so {', '.join(given)} would do nothing; leave "
            f"{'it' if len(given) == 1 else 'them'} out, or prepare the log again with other settings"
        )
    return open_dataset(folder)


def _from_cache(path: Path, settings: PrepareSettings) -> Dataset:
    with readable(path):
        contents = [(part.name, sum_of(part).sha256) for part in log_files(path)]
    key = fingerprint({"files": contents, "name": log_name(path), "settings": settings, "format": FORMAT})
    folder = cache_folder() / "datasets" / f"{safe_name(log_name(path))}-{key}"
    if is_prepared(folder):
        return open_dataset(folder)
    log = read_log(path, **settings.reading())
    return prepare(log, settings, folder)


def _from_source(source: Source, asked: PrepareSettings) -> Dataset:
    """Its own rule and what was asked for hold both: the larger of two minima is taken."""
    given = [name for name, value in asked.reading().items() if value]
    if given:
        them = "it" if len(given) == 1 else "them"
        raise InputError(
            f"{source.name} has columns of its own, so {', '.join(given)} would do nothing; leave {them} out"
        )
    least = {name: max(getattr(asked, name), source.at_least) for name in ("min_user_events", "min_item_events")}
    settings = checked(PrepareSettings, asked.model_dump() | least)
    log, made = log_of(source)
    key = fingerprint({"log": made, "settings": settings, "format": FORMAT})
    folder = cache_folder() / "datasets" / f"{source.name}-{key}"
    return open_dataset(folder) if is_prepared(folder) else prepare(log, settings, folder)


def public_dataset(name: str) -> Source:
    """The public dataset of that name.

    Raises:
        InputError: there is none.
    """
    if name not in SOURCES:
        near = get_close_matches(name, SOURCES, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise InputError(f"no public dataset '{name}'; the names are: {', '.join(SOURCES)}{hint}")
    return SOURCES[name]


def _unknown(what: str) -> str:
    names = [*BUNDLED, *SOURCES]
    near = list(get_close_matches(what, names, n=1))
    folder = Path(what).parent
    if folder.is_dir():
        beside = {each.name: each for each in folder.iterdir()}
        near += [str(beside[name]) for name in get_close_matches(Path(what).name, beside, n=2)]
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        f"no dataset '{what}': it is no file or folder, and the known names are: {', '.join(names)}; "
        f"give one of those, a folder made by `negsample prepare`, or a log file.{hint}"
    )
