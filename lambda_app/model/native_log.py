"""Silences the C++ libraries: they write lines to file descriptor 2 that are not JSON."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silence_native_log() -> Iterator[None]:
    """Drop the start messages of LiteRT and TensorFlow; no setting stops all of them. Errors are exceptions."""
    saved = os.dup(2)
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 2)
        os.close(nothing)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
