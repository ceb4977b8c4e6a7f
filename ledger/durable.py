"""What makes files last."""

from __future__ import annotations

import os
from pathlib import Path


def flush_names(file: Path) -> None:
    """Makes the name of a file durable, which is its folder's.

    Raises:
        OSError: the folder cannot be opened or flushed.
    """
    folder = os.open(file.absolute().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
