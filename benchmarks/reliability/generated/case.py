"""A generated log as it lies on the disk, what is said of it, and what must be read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.reliability.generated.logs import Log
from benchmarks.reliability.generated.slow import Recipe, slow_read
from benchmarks.reliability.made_logs import Event


@dataclass(frozen=True)
class Case:
    """``files``: by their path below a folder. ``log``: what is read, below it; empty: the folder itself.

    ``several``: files that are given in its place. ``options``: given at once. ``answers``: what a person knows, and
    says if a message asks for it; ``address``: what they name then with ``::``. ``expect``: the events; None: only a
    refusal is right. ``also``: those before a damage, which are right, too. ``must_read``: a refusal is wrong. ``ask``:
    it must not be read before a question. ``note``: what must be said. ``recipe``: how the slow reader reads it; None:
    it cannot. ``frame``: in place of files.
    """

    files: dict[str, bytes]
    expect: list[Event] | None
    log: str = ""
    several: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    address: str = ""
    also: list[Event] | None = None
    must_read: bool = True
    ask: bool = False
    note: str = ""
    recipe: Recipe | None = None
    frame: Any = None

    def slow(self) -> list[Event] | None:
        """What the slow reader finds in the files, in the order of their names."""
        assert self.recipe is not None
        parts = [name for name in sorted(self.files) if len(self.files) == 1 or "/part-" in name]
        return slow_read([self.files[name] for name in parts], self.recipe)

    def damaged(self, files: dict[str, bytes]) -> Case:
        """After a change of the bytes that nobody may know of: what they hold now, or a refusal."""
        changed = replace(self, files=files, must_read=False, ask=False, note="", also=self.expect)
        return replace(changed, expect=changed.slow() if self.recipe else None)

    def refused(self) -> Case:
        """Of which only a refusal is right."""
        return replace(self, expect=None, also=None, must_read=False)


def case_of(log: Log, files: dict[str, bytes], name: str = "", recipe: Recipe | None = None, **more: Any) -> Case:
    """The case of a log that lies in ``files``."""
    events = log.events()
    fields: dict[str, Any] = {
        "options": dict(log.options), "answers": {**log.answers, **log.options}, "must_read": events is not None,
        "ask": log.ask, "note": log.note,
    }  # fmt: skip
    return Case(files, events, name, recipe=recipe, **fields | more)


def recipe_of(log: Log, form: str, by_place: bool = False, **more: Any) -> Recipe:
    """How the slow reader reads a log that is written in this form."""
    columns: dict[str, str | int] = {
        role: place if by_place else log.names[place] for role, place in log.places.items()
    }
    keep = bool(log.options.get("keep_missing_ids"))
    where = log.where
    return Recipe(form, columns, log.form, keep=keep, drop_untimed=log.drops_untimed, where=where, **more)
