"""Ctrl-C during a training, on a terminal."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120


def test_ctrl_c_ends_a_training_quietly_and_gives_the_cursor_back(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "training", "train", "--output", str(tmp_path / "models")],
        cwd=ROOT,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "80"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    seen = _read_until(controller, b"Training")
    process.send_signal(signal.SIGINT)
    seen += _read_until(controller, None)
    os.close(controller)
    assert process.wait(PATIENCE_SECONDS) == 130
    text = seen.decode()
    assert "Traceback" not in text
    assert "-:--:--" in text, "the time left is not known yet, but has its place"
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert list((tmp_path / "models").iterdir()) == []


def _read_until(controller: int, wanted: bytes | None) -> bytes:
    """Return the terminal's output up to `wanted`, or up to the end."""
    seen = b""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while wanted is None or wanted not in seen:
        assert select.select([controller], [], [], deadline - time.monotonic())[0], seen
        try:
            data = os.read(controller, 65536)
        except OSError:
            data = b""
        if not data:
            assert wanted is None, seen
            return seen
        seen += data
    return seen
