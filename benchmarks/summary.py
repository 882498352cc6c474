"""From measurements to figures: medians, how far they scatter, and what was to be reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks.measure import Samples
from benchmarks.variant import HELLO_WORLD, SERVICE, SERVICE_SHADOW, USUAL_WAY

UNCACHED_RATIO = "uncached_service_to_bare"


@dataclass(frozen=True)
class Goal:
    """A figure and its limit; with `at_least` the figure may not be below, else not above."""

    name: str
    value: float
    limit: float
    unit: str
    at_least: bool = False

    @property
    def is_reached(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def summarise(samples: Mapping[str, Samples]) -> dict[str, Any]:
    """Turn the measurements into the figures of bench.json."""
    variants = {name: _find_medians(own) for name, own in samples.items()}
    return {
        "variants": variants,
        "spread": {name: _describe_spread(own) for name, own in samples.items()},
        "ratios": _find_ratios(variants),
        "inference_ms": {name: median(own.inference_ms) for name, own in samples.items() if own.inference_ms},
        "batch_ms": {
            name: {str(size): median(elapsed_ms) for size, elapsed_ms in own.batch_ms.items()}
            for name, own in samples.items()
            if own.batch_ms
        },
    }


def list_goals(figures: Mapping[str, Any]) -> list[Goal]:
    """The limits of the service's cost, beside the others of the same run."""
    ratios, service = figures["ratios"], figures["variants"][SERVICE.name]
    goals = [
        Goal("cold start beside bare's", ratios["cold_service_to_bare"], 1.15, "times"),
        Goal("cold start of known beside service's", ratios["cold_known_to_service"], 6, "times", at_least=True),
        Goal("warm call beside bare's, medians", ratios["warm_service_to_bare"], 2.1, "times"),
        Goal("memory", service["rss_mb"], 80, "MB"),
        Goal("warm call with a shadow beside one without", ratios["warm_shadow_to_service"], 1.15, "times"),
        Goal("memory with a shadow", figures["variants"][SERVICE_SHADOW.name]["rss_mb"], 100, "MB"),
        Goal("packages", service["packages_mb"], 250, "MB"),
    ]
    if UNCACHED_RATIO in ratios:
        goals.insert(1, Goal("the same, page cache empty", ratios[UNCACHED_RATIO], 1.2, "times"))
    return goals


def _find_ratios(variants: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    compared = (HELLO_WORLD, SERVICE, SERVICE_SHADOW, USUAL_WAY)
    bare, service, shadow, known = (variants[variant.name] for variant in compared)
    ratios = {
        "cold_service_to_bare": service["cold_ms"] / bare["cold_ms"],
        "cold_known_to_service": known["cold_ms"] / service["cold_ms"],
        "warm_service_to_bare": service["warm_p50_ms"] / bare["warm_p50_ms"],
        "cold_shadow_to_service": shadow["cold_ms"] / service["cold_ms"],
        "warm_shadow_to_service": shadow["warm_p50_ms"] / service["warm_p50_ms"],
    }
    if "uncached_ms" in service:
        ratios[UNCACHED_RATIO] = service["uncached_ms"] / bare["uncached_ms"]
    return ratios


def _find_medians(samples: Samples) -> dict[str, float]:
    uncached = {"uncached_ms": median(samples.uncached_ms)} if samples.uncached_ms else {}
    return {
        "cold_ms": median(samples.cold_ms),
        **uncached,
        "warm_p50_ms": median(samples.warm_ms),
        "warm_p99_ms": float(np.percentile(samples.warm_ms, 99)),
        "cpu_s": median(samples.cpu_s),
        "rss_mb": samples.peak_mb,
        "packages_mb": samples.packages_mb,
        "files_read": samples.files_read,
        "read_mb": samples.read_mb,
    }


def _describe_spread(samples: Samples) -> dict[str, dict[str, float]]:
    measured = {"uncached_ms": samples.uncached_ms} if samples.uncached_ms else {}
    measured |= {
        "cold_ms": samples.cold_ms,
        "warm_ms": samples.warm_ms,
        "cpu_s": samples.cpu_s,
        "cold_rss_mb": samples.cold_peak_mb,
    }
    return {name: _find_quartiles(values) for name, values in measured.items()}


def _find_quartiles(values: Sequence[float]) -> dict[str, float]:
    names = ("min", "q1", "median", "q3", "max")
    return dict(zip(names, np.percentile(values, (0, 25, 50, 75, 100)).tolist(), strict=True))
