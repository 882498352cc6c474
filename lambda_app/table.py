"""The classes that `problem/table.py` describes its table with: features, relations between them, the target."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property


class Kind(StrEnum):
    """The type of a feature: any number, a whole number, or one of a few codes."""

    REAL = "real"
    INTEGER = "integer"
    CHOICES = "choices"


@dataclass(frozen=True)
class Feature:
    """A column that the model predicts from.

    `minimum` and `maximum` are the limits of what the service accepts, not the range of the training data. A feature of
    the kind CHOICES has `choices` in their place: each code with its label, which may be the code itself.
    """

    name: str
    meaning: str
    unit: str
    kind: Kind
    minimum: float
    maximum: float
    example: float
    choices: Mapping[int, str] = field(default_factory=dict)

    @cached_property
    def limits(self) -> str:
        """The accepted values as a person reads them: "a number from 10 to 80 (kg/m²)" or "1 or 2"."""
        if self.kind is Kind.CHOICES:
            *others, last = map(str, self.choices)
            return f"{', '.join(others)} or {last}"
        number = "a whole number" if self.kind is Kind.INTEGER else "a number"
        return f"{number} from {self.minimum:.15g} to {self.maximum:.15g}{_append_unit(self.unit)}"

    def describe_range(self, low: float, high: float) -> str:
        """A range of values, with the unit: "18 to 42.2 (kg/m²)"."""
        return f"{low:g} to {high:g}{_append_unit(self.unit)}"

    def accepts(self, value: float) -> bool:
        """True for a value that is within the limits and of the kind; a float such as 2.0 is a whole number."""
        if self.kind is Kind.CHOICES:
            return value in self.choices
        whole = self.kind is Kind.REAL or float(value).is_integer()
        return whole and self.minimum <= value <= self.maximum


def _append_unit(unit: str) -> str:
    return f" ({unit})" if unit else ""


def real(name: str, meaning: str, unit: str, minimum: float, maximum: float, *, example: float) -> Feature:
    """A feature that may be any number within its limits."""
    return Feature(name, meaning, unit, Kind.REAL, minimum, maximum, example)


def integer(name: str, meaning: str, unit: str, minimum: int, maximum: int, *, example: int) -> Feature:
    """A feature that must be a whole number within its limits."""
    return Feature(name, meaning, unit, Kind.INTEGER, minimum, maximum, example)


def choices(name: str, meaning: str, labels: Mapping[int, str], *, example: int) -> Feature:
    """A feature that must be one of the codes of `labels`, at least two."""
    return Feature(name, meaning, "code", Kind.CHOICES, min(labels), max(labels), example, labels)


@dataclass(frozen=True)
class Relation:
    """A rule between the features of one case; `field` is the feature that follows from the others.

    A case that breaks it is answered with a warning, "`field` `message`".
    """

    field: str
    message: str
    holds: Callable[[Mapping[str, float]], bool]


@dataclass(frozen=True)
class Target:
    """The predicted quantity. `minimum` and `maximum` are its possible values; None where no bound is known.

    `example` is a usual value, which the API's documentation shows.
    """

    name: str
    meaning: str
    unit: str
    minimum: float | None
    maximum: float | None
    example: float

    @cached_property
    def label(self) -> str:
        """The meaning with the unit, if any: "Weight at birth (kg)"."""
        return f"{self.meaning}{_append_unit(self.unit)}"

    def cut(self, value: float) -> float:
        """The nearest value that the target can have."""
        if self.minimum is not None:
            value = max(value, self.minimum)
        if self.maximum is not None:
            value = min(value, self.maximum)
        return value


@dataclass(frozen=True)
class Table:
    """The table that a model is trained on and asked about.

    `case` and `cases` name a row in the texts and in the batch request, for example "house" and "houses". `title`
    heads the page and the documentation, `description` is the API's, and `notice` stands beside every prediction on the
    page; it may be empty. `source` says where the rows come from.
    """

    title: str
    description: str
    introduction: str
    notice: str
    source: str
    case: str
    cases: str
    features: tuple[Feature, ...]
    target: Target
    relations: tuple[Relation, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The features' names, in the order of the training's columns."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def example(self) -> dict[str, float]:
        """The features of one case, by name."""
        return {feature.name: feature.example for feature in self.features}
