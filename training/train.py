"""From data to a bundle on disk: the whole of one training run."""

from pathlib import Path

from rich.console import Console

from training import DEFAULT_EPOCHS, DEFAULT_SEED
from training.data import load_rows, split_rows
from training.evaluate import evaluate_model
from training.export import export_bundle
from training.fit import fit_model
from training.progress import show_progress


def train_model(
    output: Path, seed: int = DEFAULT_SEED, epochs: int = DEFAULT_EPOCHS, console: Console | None = None
) -> Path:
    """Train for at most `epochs` and return the bundle's directory, `output`/<version>; progress goes to `console`."""
    console = console or Console()
    # First of all: a directory that cannot be made is better known before the training than after it.
    output.mkdir(parents=True, exist_ok=True)
    rows = load_rows()
    split = split_rows(rows, seed)
    with show_progress(console, epochs) as report_epoch:
        model = fit_model(split, seed, epochs, report_epoch)
    with console.status("Exporting and comparing with the trained model"):
        evaluation = evaluate_model(model, split.held_out)
        return export_bundle(output, model=model, evaluation=evaluation, rows=rows, split=split, seed=seed)
