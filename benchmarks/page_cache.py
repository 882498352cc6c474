"""The page cache of this machine, which a first start on another one does not find."""

import os
from pathlib import Path

_SWITCH = Path("/proc/sys/vm/drop_caches")


def can_empty_page_cache() -> bool:
    """Whoever is not root can't, and a container can't either."""
    return os.access(_SWITCH, os.W_OK)


def empty_page_cache() -> None:
    """Drop what was read from files, after what was written to them is on the disk."""
    os.sync()
    _SWITCH.write_text("3", encoding="ascii")
