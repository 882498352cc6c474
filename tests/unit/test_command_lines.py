"""The command lines on a terminal of 80 columns."""

import pytest
import typer.main
from rich.console import Console
from typer.testing import CliRunner

from tests.commands import APPS
from training.progress import show_progress


@pytest.mark.parametrize("module", APPS)
def test_help_fits_the_terminal_and_describes_each_option(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    app = typer.main.get_command(APPS[module])
    commands = getattr(app, "commands", {})
    for words in ((), *((name,) for name in commands)):
        done = CliRunner().invoke(APPS[module], [*words, "--help"], prog_name=f"python -m {module}")
        assert (done.exit_code, done.stderr) == (0, "")
        assert "\x1b" not in done.stdout
        assert max(len(line) for line in done.stdout.splitlines()) <= 80
        assert " ".join(("python -m", module, *words)) in done.stdout
        for name in () if words else commands:
            assert f"\n  {name} " in done.stdout
    options = [option for command in (commands or {"": app}).values() for option in command.params]
    assert [option.name for option in options if not getattr(option, "help", None)] == []


def test_a_terminal_that_cannot_go_back_gets_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(force_terminal=True, _environ={"TERM": "dumb"})
    with show_progress(console, "Fitting ridge", "fold", 2) as report:
        report(1)
        assert capsys.readouterr().out == "Fitting ridge: fold 1 of 2\n"
        report(2)
