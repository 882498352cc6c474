"""The command lines as a person on a terminal of 80 columns meets them."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from training.progress import show_progress

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "training": ("train", "evaluate", "publish", "promote", "rollback", "show", "list"),
    "deploy": ("all", "image", "plan", "apply", "migrate", "model", "smoke", "destroy"),
    "local": (),
    "local.call": (),
    "benchmarks": (),
    "benchmarks.scaling": (),
}
PATIENCE_SECONDS = 120


@pytest.mark.parametrize(
    "words", [words for name, commands in COMMANDS.items() for words in ((name,), *((name, c) for c in commands))]
)
def test_help_fits_the_terminal_and_says_what_each_thing_is_for(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *words, "--help"],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert " ".join(("python -m", *words)) in done.stdout
    for command in COMMANDS[words[0]] if len(words) == 1 else ():
        assert f"\n  {command} " in done.stdout


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


def test_a_terminal_that_cannot_go_back_gets_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(force_terminal=True, _environ={"TERM": "dumb"})
    with show_progress(console, "Fitting ridge", "fold", 2) as report:
        report(1)
        assert capsys.readouterr().out == "Fitting ridge: fold 1 of 2\n"
        report(2)


def _read_until(controller: int, wanted: bytes | None) -> bytes:
    """What a terminal shows up to `wanted`, or up to the end."""
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
