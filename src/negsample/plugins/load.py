"""Files and modules with parts, and what is known of their source."""

from __future__ import annotations

import hashlib
import importlib
import linecache
import marshal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from negsample.errors import InputError, guarded


class Plugin(NamedTuple):
    """A file or module that registers parts. To unpickle one is to load it: so it travels with a task.

    Attributes:
        name: the file's name, or the module's.
        digest: SHA-256 of the source, in hexadecimal digits.
        path: where the file lies; None: a module, which has to be installed wherever it is loaded.
        text: the file's source.
    """

    name: str
    digest: str
    path: str | None = None
    text: bytes = b""

    def __reduce__(self) -> tuple[Any, ...]:
        """See the class."""
        return _arrived, tuple(self)


ON_FORGET: list[Callable[[Plugin], None]] = []
"""Called with a plugin whose parts are to be removed, since its file has changed."""

_loaded: dict[str, Plugin] = {}  # by path or module, in the order of loading
_at_work: list[Plugin] = []  # the last one is registering its parts


@guarded
def load_plugins(names: Sequence[str]) -> list[Plugin]:
    """Load files (``my_parts.py``) or modules (``my_package.parts``), which register what they have.

    What is loaded already is left as it is, but a file that has changed is loaded again: what it registered before is
    removed.

    Raises:
        InputError: there is no such file or module, or it fails.
    """
    return [_load(_found(name)) for name in names]


def loaded() -> tuple[Plugin, ...]:
    """The plugins of this process, as they travel to another one."""
    return tuple(_loaded.values())


def origin() -> Plugin:
    """Where the code comes from that registers something now: the plugin at work, or who called negsample."""
    if _at_work:
        return _at_work[-1]
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "negsample":
        frame = frame.f_back
    name, file = frame.f_globals.get("__name__", ""), frame.f_globals.get("__file__")
    if file is None:
        cells = frame.f_globals.get("In")  # of IPython: all cells that were run so far
        source = repr(cells).encode() if isinstance(cells, list) else marshal.dumps(frame.f_code)
        return Plugin("<what was typed in>", hashlib.sha256(source).hexdigest())
    if name in ("__main__", "__mp_main__"):
        return Plugin(Path(file).name, _digest([Path(file)]))
    return of_module(name)


def of_module(name: str) -> Plugin:
    """The plugin that a module is, known by the source of all of its package.

    Raises:
        InputError: there is no such module.
    """
    try:
        top = find_spec(name) and find_spec(name.partition(".")[0])
    except (ImportError, ValueError):
        top = None
    if top is None:
        raise InputError(f"there is no plugin {name!r}: neither a file nor a module that Python finds")
    if top.submodule_search_locations:
        files = sorted(each for folder in top.submodule_search_locations for each in Path(folder).rglob("*.py"))
    else:
        files = [Path(str(top.origin))]
    return Plugin(name, _digest(files))


def _digest(files: Sequence[Path]) -> str:
    return hashlib.sha256(b"\0".join(each.read_bytes() for each in files)).hexdigest()


def _found(name: str) -> Plugin:
    path = Path(name)
    if path.suffix != ".py":
        return of_module(name)
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the plugin {name}: {error.strerror}; give a Python file or a module") from None
    return Plugin(path.name, hashlib.sha256(text).hexdigest(), str(path.resolve()), text)


def _load(plugin: Plugin) -> Plugin:
    key = plugin.path or plugin.name
    before = _loaded.get(key)
    if before is not None and (before == plugin or plugin.path is None):  # Python imports a module once
        return before
    if before is not None:
        _forget(before)
    try:
        with _working(plugin):
            if plugin.path is None:
                importlib.import_module(plugin.name)
            else:
                _run(plugin, plugin.path)
    except (Exception, SystemExit) as error:
        _forget(plugin)
        line = next((f", line {each}" for each in reversed(list(_lines_of(error, plugin)))), "")
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        raise InputError(f"plugin {plugin.name}{line}: {kind}{error}") from error
    _loaded[key] = plugin
    return plugin


def _run(plugin: Plugin, path: str) -> None:
    """Run the very text that was hashed, as the import of a file does; there may be no such file on this machine."""
    module = ModuleType(f"negsample_plugin_{Path(path).stem}_{plugin.digest[:8]}")
    module.__file__ = path
    lines = plugin.text.decode("utf-8", "replace").splitlines(keepends=True)
    linecache.cache[path] = (len(plugin.text), None, lines, path)
    sys.modules[module.__name__] = module
    exec(compile(plugin.text, path, "exec"), vars(module))


@contextmanager
def _working(plugin: Plugin) -> Iterator[None]:
    _at_work.append(plugin)
    try:
        yield
    finally:
        _at_work.pop()


def _forget(plugin: Plugin) -> None:
    for forget in ON_FORGET:
        forget(plugin)


def _lines_of(error: BaseException, plugin: Plugin) -> Iterator[int]:
    """Lines of the plugin's file that an error went through, the outermost first."""
    if isinstance(error, SyntaxError) and error.lineno:
        yield error.lineno
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == plugin.path:
            yield trace.tb_lineno
        trace = trace.tb_next


def _arrived(*fields: Any) -> Plugin:
    return _load(Plugin(*fields))
