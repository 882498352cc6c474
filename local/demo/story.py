"""Tells the phases day by day: predictions, outcomes that have come, the monitor, and what it noticed."""

import heapq
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from lambda_app.log.record import OutcomeRecord
from local.demo.cases import CaseMaker
from local.demo.phases import Phase
from local.demo.service import DemoService
from local.demo.watch import Watch
from problem.table import TABLE
from training.rounding import format_figure

# The delay of an outcome is lognormal.
MEDIAN_DAYS, SPREAD = 21.0, 0.4


class Story:
    """The days of the story, from `begin` on."""

    def __init__(
        self, service: DemoService, watch: Watch, maker: CaseMaker, seed: int, per_day: int, begin: datetime
    ) -> None:
        self._service, self._watch, self._maker = service, watch, maker
        self._generator = np.random.default_rng([seed, 1])
        self._per_day = per_day
        self._now = begin
        # Outcomes to come, the next one first.
        self._open: list[tuple[datetime, UUID, float, int]] = []
        self._phase = 0
        # Of the cases of each phase, when their outcomes were observed.
        self._observed: dict[int, list[datetime]] = {}

    def tell(self, phase: Phase) -> None:
        """Live through a phase and print what the monitor noticed in it."""
        print(f"{self._now:%Y-%m-%d}  {phase.title}", flush=True)
        self._phase += 1
        alarms, began = 0, self._now
        for day in range(1, phase.days + 1):
            self._make_cases(phase)
            self._now += timedelta(days=1)
            self._report_outcomes()
            if phase.has_report(day):
                for kind in self._watch.run(self._now):
                    alarms += 1
                    print(self._describe_alarm(kind, began), flush=True)
        if not alarms:
            print("            no alarm")
        print(f"            {self._summarise()}\n", flush=True)

    def _make_cases(self, phase: Phase) -> None:
        drawn = self._maker.draw(self._per_day)
        at = self._now + timedelta(hours=12)
        records = self._service.predict([phase.sent(case) for case, _ in drawn], at)
        for record, (_, value) in zip(records, drawn, strict=True):
            days = float(MEDIAN_DAYS * np.exp(self._generator.normal(0, SPREAD)))
            outcome = (at + timedelta(days=days), record.request_id, phase.outcome(value), self._phase)
            heapq.heappush(self._open, outcome)

    def _report_outcomes(self) -> None:
        outcomes = []
        while self._open and self._open[0][0] <= self._now:
            observed_at, request_id, value, phase = heapq.heappop(self._open)
            outcomes.append(OutcomeRecord(request_id, value, observed_at, reported_at=self._now))
            self._observed.setdefault(phase, []).append(observed_at)
        self._service.report(outcomes)

    def _describe_alarm(self, kind: str, began: datetime) -> str:
        if kind == "drift":
            days = (self._now - began).days
            columns = ", ".join(self._watch.list_drifted())
            return (
                f"{self._now:%Y-%m-%d}  ALARM  drift of {columns}: {days} days and {days * self._per_day:,} "
                f"{TABLE.cases} later"
            )
        # A report finds it, but the sentinel knows at which outcome it began.
        at = datetime.fromisoformat(self._watch.find_version()["sentinel"]["alarms"][-1]["observed_at"])
        known = sum(time <= at for time in self._observed.get(self._phase, []))
        return (
            f"{at:%Y-%m-%d}  ALARM  coverage: {(at - began).days} days later, with outcome {known:,} of these "
            f"{TABLE.cases}"
        )

    def _summarise(self) -> str:
        version = self._watch.find_version()
        live = version["live"]
        if live is None:
            return "too few outcomes for figures"
        block = version["over_time"][-1] if version["over_time"] else live
        return (
            f"{live['outcomes']:,} outcomes so far; of the last {block['outcomes']}, {_percent(block['coverage'])} are "
            f"in their interval, and the mean absolute error is {format_figure(block['mae']['value'], 3)}"
        )


def _percent(estimate: dict[str, Any]) -> str:
    return "none" if estimate["value"] is None else f"{100 * estimate['value']:.0f} %"
