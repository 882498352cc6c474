"""The candidates of a drill, most of them bad ones, and the pointer that names them."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lambda_app.model.bundle import CANARY, SHADOW, bundle_key
from lambda_app.model.predictor import Prediction, Predictor
from lambda_app.model.trial import CASES_IN_TIME
from problem.table import TABLE
from tests.bundles import Registry
from tests.faults.versions import Named, Predict
from tests.functional.candidates import overflow, shift

# Two that answer otherwise than the current version. The files of the second are far away.
GOOD, DISTANT = "drill-good", "drill-distant"
ALTERED, MISSING, NOT_FINITE, RAISING, SLOW = (
    f"drill-{name}" for name in ("altered", "missing", "not-finite", "raising", "slow")
)
# Each must fail in a drill.
FAILING = (DISTANT, ALTERED, MISSING, NOT_FINITE, RAISING, SLOW)
# More than CANDIDATE_MAX_MS, also for a large batch.
SLOW_SECONDS = 0.3


class Trials:
    """Moves the pointer, past all faults. `named` is what it named since when; `models` are those that may answer."""

    def __init__(self, registry: Registry, api_log: Path) -> None:
        self._registry = registry
        self._api_log = api_log
        self.named: list[Named] = []
        for version in (GOOD, DISTANT, ALTERED, MISSING, RAISING, SLOW):
            registry.add_version(version, scaler=shift)
        registry.add_version(NOT_FINITE, scaler=overflow)
        registry.write(bundle_key(ALTERED, "scaler.json"), b"{}")
        registry.client.delete_object(Bucket=registry.bucket, Key=bundle_key(MISSING, "model.tflite"))
        self.models = dict(self._load(version) for version in (registry.version, GOOD, DISTANT, NOT_FINITE))
        self.point()

    def point(
        self, candidate: str | None = None, mode: str = SHADOW, share: float = 1.0, current: str | None = None
    ) -> None:
        """Name a candidate beside the current version, which by default is the one of the beginning."""
        current = current or self._registry.version
        may_answer = candidate in self.models and share <= 1
        answering = {current, candidate} if may_answer and mode == CANARY else {current}
        shadow = candidate if may_answer and mode == SHADOW else None
        self.named.append(Named(datetime.now(UTC), frozenset(filter(None, answering)), shadow))
        self._registry.point(current, candidate, mode=mode, share=share)

    def count_failures(self) -> dict[str, int]:
        """Count in the log of the environments how often each candidate failed that must."""
        log = self._api_log.read_text(errors="replace")
        lines = [line for line in log.splitlines() if '"candidate failed"' in line]
        return {f"failures of {version}": sum(version in line for line in lines) for version in FAILING}

    def _load(self, version: str) -> tuple[str, Predict]:
        self._registry.point(version)
        return version, self._registry.load().predict


def misbehave() -> None:
    """Let two versions be what their names say once they are loaded: no file of a network can make it so."""
    predict = Predictor.predict

    def predict_badly(self: Predictor, cases: Sequence[Mapping[str, float]]) -> list[Prediction]:
        is_loading = list(cases) == [TABLE.example]
        if self.version == RAISING and not is_loading:
            raise MemoryError
        if self.version == SLOW and not is_loading:
            time.sleep(SLOW_SECONDS * max(1.0, len(cases) / CASES_IN_TIME))
        return predict(self, cases)

    Predictor.predict = predict_badly  # type: ignore[method-assign]
