"""The results of a training run, the source of its bundle."""

from dataclasses import dataclass

from training.data import Rows
from training.fit import Curves, Ensemble, Schedule
from training.validate import Validation


@dataclass(frozen=True)
class TrainingRun:
    """The `ensemble` trained on all `rows`, and the `validation` of the same training on held-out rows."""

    rows: Rows
    seed: int
    epochs: int
    schedule: Schedule
    ensemble: Ensemble
    curves: Curves
    validation: Validation
    seconds: float
