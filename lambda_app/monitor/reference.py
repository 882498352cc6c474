"""The spread of the training cases over bins, from the manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lambda_app.model.json_numbers import read_count, read_numbers
from lambda_app.table import Kind
from problem.table import TABLE

PREDICTION = "prediction"


@dataclass(frozen=True)
class Reference:
    """A column: counts between `edges`, the inner ones, or counts of `values`, the codes of a choice."""

    name: str
    kind: Literal["feature", "prediction"]
    marks: Sequence[float]
    counts: Sequence[int]
    has_values: bool = False


def parse_references(entry: Mapping[str, Any]) -> list[Reference]:
    """Parse the manifest's `reference`; raises KeyError, TypeError, AttributeError or ValueError."""
    features = [_parse(feature.name, entry["features"][feature.name]) for feature in TABLE.features]
    for feature, reference in zip(TABLE.features, features, strict=True):
        if reference.has_values != (feature.kind is Kind.CHOICES):
            raise ValueError(f"the reference of {feature.name} has the bins of another kind")
    return [*features, _parse(PREDICTION, entry[PREDICTION])]


def _parse(name: str, entry: Mapping[str, Any]) -> Reference:
    has_values = "values" in entry
    marks = read_numbers(entry["values" if has_values else "edges"])
    counts = [read_count(count) for count in entry["counts"]]
    if sorted(set(marks)) != marks or len(counts) != len(marks) + (not has_values) or not sum(counts):
        raise ValueError(f"the reference of {name} is not a histogram: ascending bins, each with a count")
    return Reference(name, "prediction" if name == PREDICTION else "feature", marks, counts, has_values)
