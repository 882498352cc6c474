"""What libraries in C++ print past Python's logging."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silence_native_log() -> Iterator[None]:
    """LiteRT announces its delegate on file descriptor 2, and no setting stops it; its errors come as exceptions."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
