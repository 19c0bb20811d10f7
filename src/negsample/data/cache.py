"""Where what is made once is kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$NEGSAMPLE_CACHE``, else ``negsample`` in the user's cache."""
    own, common = os.environ.get("NEGSAMPLE_CACHE"), os.environ.get("XDG_CACHE_HOME")
    return Path(own or Path(common or "~/.cache") / "negsample").expanduser()
