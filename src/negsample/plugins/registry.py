"""Parts of one kind by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar, cast

from negsample.errors import InputError
from negsample.plugins.load import ON_FORGET, Plugin, of_module, origin

V = TypeVar("V")
_NAME = re.compile(r"[A-Za-z0-9]+(?:[-_.@][A-Za-z0-9]+)*")
_LONGEST = 60  # characters of a name: it is part of the names of folders
_registries: dict[str, Registry[Any]] = {}  # by kind


class Registry(Mapping[str, V]):
    """Parts of one kind by name: negsample's own, those of installed packages, and those that were registered.

    It is read like a dictionary, and written by :meth:`register` alone.

    Args:
        kind: what a part is called in messages; its entry points are those of the group ``negsample.{kind}s``.
        own: negsample's own parts; what an entry point stands for is loaded when it is asked for.
        check: refuses a part that is none of this kind, with a ``ValueError``; called with its name and the part.
        reserved: names that mean something else, in any spelling.
    """

    def __init__(
        self,
        kind: str,
        own: Mapping[str, V | EntryPoint],
        *,
        check: Callable[[str, V], None] = lambda name, part: None,
        reserved: Sequence[str] = (),
    ) -> None:
        self.kind, self._check, self._own = kind, check, frozenset(own)
        self._reserved = {each.lower() for each in reserved}
        self._parts: dict[str, V | EntryPoint] = dict(own)
        self._from: dict[str, Plugin] = {}
        self._offered: dict[str, EntryPoint] | None = None
        _registries[kind] = self
        ON_FORGET.append(self._forget)

    def __getitem__(self, name: str) -> V:
        """The part of this name.

        Raises:
            InputError: there is none; it names the nearest ones.
        """
        if name not in self._parts and name in self._entry_points():
            self._take(self._entry_points()[name])
        if name not in self._parts:
            raise InputError(self.unknown(name))
        part = self._parts[name]
        if isinstance(part, EntryPoint):
            part = self._parts[name] = cast("V", part.load())
        return part

    def __contains__(self, name: object) -> bool:
        return name in self._parts or name in self._entry_points()

    def get(self, name: str, default: Any = None) -> Any:
        """The part of this name, or ``default``."""
        return self[name] if name in self else default  # noqa: SIM401

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._parts, *self._entry_points()]))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return f"<{len(self)} {self.kind}s: {', '.join(self)}>"

    def unknown(self, name: object) -> str:
        """The message for a name that is not there, with the nearest names or all of them."""
        by_lower = {each.lower(): each for each in self}
        near = [repr(by_lower[each]) for each in difflib.get_close_matches(str(name).lower(), by_lower, n=3)]
        hint = f"did you mean {' or '.join(near)}?" if near else f"the {self.kind}s are: {', '.join(self)};"
        return f"unknown {self.kind} {name!r}; {hint} one of your own needs --plugin FILE (in Python: load_plugins)"

    def register(self, name: str, part: V, *, replace: bool = False) -> V:
        """Add ``part``, and give it back.

        Args:
            name: letters and digits, with single ``-``, ``_``, ``.`` or ``@`` between them.
            part: what it is.
            replace: take the place of a part that was registered before; never of negsample's own.

        Raises:
            InputError: the name is taken or is none, or ``part`` is none of this kind.
        """
        self._check_new(name, part)
        if name in self and not replace:
            raise InputError(
                f"there is a {self.kind} {name!r} from {self.plugin_of(name).name} already; "  # type: ignore[union-attr]
                "take another name, or say replace=True"
            )
        self._parts[name], self._from[name] = part, origin()
        return part

    def plugin_of(self, name: str) -> Plugin | None:
        """Where the part of this name comes from; None: from negsample.

        Raises:
            InputError: there is no such part.
        """
        self[name]
        return self._from.get(name)

    def _check_new(self, name: str, part: V) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _LONGEST:
            raise InputError(
                f"{name!r} is no name for a {self.kind}: take up to {_LONGEST} letters and digits, with single - _ . "
                "or @ between them"
            )
        if name in self._own or name.lower() in self._reserved:
            raise InputError(f"the name {name!r} is negsample's own; give your {self.kind} another one")
        try:
            self._check(name, part)
        except ValueError as error:
            raise InputError(f"{self.kind} {name!r}: {error}") from None

    def _entry_points(self) -> dict[str, EntryPoint]:
        """What installed packages offer; each is loaded when it is asked for."""
        if self._offered is None:
            self._offered = {each.name: each for each in entry_points(group=f"negsample.{self.kind}s")}
        return self._offered

    def _take(self, offered: EntryPoint) -> None:
        try:
            part = offered.load()
            self._check_new(offered.name, part)
        except Exception as error:
            raise InputError(
                f"{self.kind} {offered.name!r} of the installed {offered.value} cannot be used "
                f"({type(error).__name__}: {error}); repair or uninstall its package"
            ) from error
        self._parts[offered.name], self._from[offered.name] = part, of_module(offered.module)

    def _forget(self, plugin: Plugin) -> None:
        for name in [name for name, each in self._from.items() if each == plugin]:
            del self._parts[name], self._from[name]


def sources_of(method: str | None = None, backbone: str | None = None, terms: Sequence[str] = ()) -> dict[str, str]:
    """The plugins that a method (or baseline), a backbone and terms come from, each with the SHA-256 of its source.

    What comes with negsample, and what nobody knows, has none.
    """
    asked = (("method", method), ("baseline", method), ("backbone", backbone), *(("term", each) for each in terms))
    found = [_registries[kind].plugin_of(name) for kind, name in asked if name and name in _registries.get(kind, ())]
    return {each.name: each.digest for each in found if each is not None}


def check_sources(what: str, sources: Mapping[str, str], method: str, backbone: str, terms: Sequence[str] = ()) -> None:
    """Refuse to go on with ``what``, made with plugins of these ``sources``, where they are not the same here.

    Raises:
        InputError: a plugin is not loaded, or has changed.
    """
    here = sources_of(method, backbone, terms)
    for name, digest in sources.items():
        if name not in here:
            raise InputError(f"{what} needs --plugin {name} (in Python: load_plugins), which it was trained with")
        if here[name] != digest:
            raise InputError(f"{what} was trained with another version of {name}; give that one, or train again")
