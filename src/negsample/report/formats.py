"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

SPACE = "\N{NO-BREAK SPACE}"


def percent(fraction: float | None, digits: int = 2) -> str:
    """``0.0233`` as ``2.33 %``; nothing measured is ``n/a``."""
    return "n/a" if fraction is None else f"{100 * fraction:.{digits}f}{SPACE}%"


def signed(fraction: float, digits: int = 2) -> str:
    """A difference in percentage points with its sign: ``+0.12``, ``−0.40``, ``0.00``."""
    text = f"{100 * fraction:+.{digits}f}"
    return text[1:] if not float(text) else text.replace("-", "−")


def with_sd(value: float, sd: float | None, digits: int = 2) -> str:
    """A mean with its standard deviation where there is one."""
    return percent(value, digits) if sd is None else f"{100 * value:.{digits}f} ± {percent(sd, digits)}"


def share(fraction: float) -> str:
    """A share in %, for shares that span orders of magnitude (0.041 %, 15.9 %)."""
    value = 100 * fraction
    return f"{value:.1f}{SPACE}%" if value >= 1 or value == 0 else f"{value:.2g}{SPACE}%"


def commas(count: float) -> str:
    """``1234567`` as ``1,234,567``."""
    return f"{count:,.0f}"


def seconds(value: float) -> str:
    """A duration: ``8.4 s``, ``312 s``, ``25 min``, ``1 h 04 min``."""
    if value >= 3600:
        hours, minutes = divmod(round(value / 60), 60)
        return f"{hours}{SPACE}h {minutes:02d}{SPACE}min"
    if value >= 600:
        return f"{value / 60:.0f}{SPACE}min"
    return f"{value:.0f}{SPACE}s" if value >= 100 else f"{value:.1f}{SPACE}s"


def memory(size: float) -> str:
    """Bytes: ``312 MiB``, ``1.4 GiB``."""
    return f"{size / 2**30:.1f}{SPACE}GiB" if size >= 2**30 else f"{size / 2**20:.0f}{SPACE}MiB"


def when(value: Any) -> str:
    """A moment of a manifest: ISO text, or whole microseconds since 1970, as ``2014-05-30 12:50``."""
    if value is None:
        return "not known"
    if isinstance(value, int):
        moment = datetime(1970, 1, 1) + timedelta(microseconds=value)
    else:
        moment = datetime.fromisoformat(value)
    midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return moment.strftime("%Y-%m-%d" if midnight else "%Y-%m-%d %H:%M")


def listed(parts: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def named(names: Sequence[str], most: int = 6) -> str:
    """``a, b and c``; of more than ``most``, how many: ``27 methods``."""
    return listed(list(names)) if len(names) <= most else f"{len(names)} methods"


def value_text(value: Any) -> str:
    """A setting's value: ``0.00123``, ``100``, ``all``, ``true``."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def pairs(settings: Mapping[str, Any], *, short: bool = False) -> str:
    """Settings with their values, but those that are None; ``short``: with three digits."""
    shown = {
        key: value_text(value) if short or not isinstance(value, float) else str(value)
        for key, value in settings.items()
        if value is not None
    }
    return ", ".join(f"{key} {text}" for key, text in shown.items()) or "none"
