"""Silences the C++ libraries, which write lines that are no JSON on file descriptor 2."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silence_native_log() -> Iterator[None]:
    """Drop it: LiteRT and TensorFlow tell how they start, which no one setting stops. Their errors are exceptions."""
    saved = os.dup(2)
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 2)
        os.close(nothing)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
