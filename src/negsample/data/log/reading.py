"""How a log is to be read: what a person says of its form."""

from __future__ import annotations

from typing import NamedTuple

ROLES = ("user", "item", "time")


class Reading(NamedTuple):
    """What was said of a log; see :class:`negsample.settings.PrepareSettings` for the words.

    ``ordered``: rows without times are in the order of their events. ``given``: the log says the part of each event, in
    ``split_column``, or in the names of its files. ``weight``: the column of how much an event counts.
    ``needs_time``: False for histories, whose times are null where there are none.
    """

    user: str | None = None
    item: str | None = None
    time: str | None = None
    time_format: str | None = None
    no_header: bool = False
    sequences: bool = False
    encoding: str | None = None
    where: str | None = None
    drop_untimed: bool = False
    keep_missing_ids: bool = False
    ordered: bool = False
    split_column: str | None = None
    given: bool = False
    weight: str | None = None
    needs_time: bool = True

    @property
    def asked(self) -> dict[str, str | None]:
        """The column of each role that was named."""
        return {role: getattr(self, role) for role in ROLES}
