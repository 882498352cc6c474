"""Runs a training from data to a bundle on disk."""

import time
from pathlib import Path

from rich.console import Console

from problem.table import TABLE
from training import DEFAULT_SEED
from training.data import load_rows
from training.export import export_bundle
from training.fit import Schedule, choose_epochs, fit_ensemble
from training.progress import show_progress
from training.run import TrainingRun
from training.validate import validate_training


def train_model(
    output: Path,
    seed: int = DEFAULT_SEED,
    epochs: int | None = None,
    schedule: Schedule = Schedule.COSINE,
    console: Console | None = None,
) -> Path:
    """Train for at most `epochs` and return the bundle's directory, `output`/<version>; progress goes to `console`.

    Without `epochs` their number follows from that of the rows.
    """
    console = console or Console()
    # First of all: a directory that cannot be made is better known before the training than after it.
    output.mkdir(parents=True, exist_ok=True)
    rows = load_rows()
    epochs = epochs or choose_epochs(len(rows))
    started = time.perf_counter()
    with show_progress(console, "Training the model", "epoch", epochs) as report_epoch:
        ensemble, curves = fit_ensemble(rows, seed, epochs=epochs, schedule=schedule, report_epoch=report_epoch)
    seconds = time.perf_counter() - started
    with show_progress(console, f"Validating on held-out {TABLE.cases}", "epoch", epochs) as report_epoch:
        validation = validate_training(rows, seed, epochs=epochs, schedule=schedule, report_epoch=report_epoch)
    with console.status("Exporting and comparing with the trained model"):
        run = TrainingRun(
            rows=rows,
            seed=seed,
            epochs=epochs,
            schedule=schedule,
            ensemble=ensemble,
            curves=curves,
            validation=validation,
            seconds=seconds,
        )
        return export_bundle(output, run)
