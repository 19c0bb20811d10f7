"""Bytes and seconds for a person."""

from __future__ import annotations

import math


def in_bytes(size: int) -> str:
    """``size`` for a person: MB or GB of powers of ten."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"


def in_time(seconds: float) -> str:
    """``seconds`` for a person, to about two digits."""
    if seconds < 100:
        return f"{math.ceil(seconds):.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 10 * 3600 else f"{seconds / 3600:,.0f} h"
