"""The results of one training run, from which its bundle is written."""

from dataclasses import dataclass

from training.data import Rows
from training.fit import Curves, Ensemble, Schedule
from training.validate import Validation


@dataclass(frozen=True)
class TrainingRun:
    """`ensemble` learned from all `rows`; `validation` is how the same training fared on rows it had not seen."""

    rows: Rows
    seed: int
    epochs: int
    schedule: Schedule
    ensemble: Ensemble
    curves: Curves
    validation: Validation
    seconds: float
