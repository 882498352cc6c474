"""The classes with which `problem/table.py` describes a table: features, their relations, the target."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from math import isfinite

# The other fields of a record or an answer.
RECORD_NAMES = frozenset(
    (
        *("request_id", "created_at", "recorded_at", "prediction", "interval_lower", "interval_upper"),
        *("interval_coverage", "model_version", "latency_ms", "caller", "caller_session", "batch_id"),
        *("batch_index", "subject", "warnings", "body", "features", "outcomes", "shadow", "shadow_version"),
        *("shadow_prediction", "shadow_lower", "shadow_upper", "shadow_coverage", "shadow_ms"),
    )
)
# PostgreSQL accepts these as column names only in quotes.
_SQL_WORDS = """
all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation column
concurrently constraint create cross current_catalog current_date current_role current_schema current_time
current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze from
full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit localtime
localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references returning
right select session_user similar some symmetric system_user table tablesample then to trailing true union unique user
using variadic verbose when where window with
"""
SQL_WORDS = frozenset(_SQL_WORDS.split())
MAX_NAME_LENGTH = 63


class Kind(StrEnum):
    """The type of a feature: any number, a whole number, or one of a few codes."""

    REAL = "real"
    INTEGER = "integer"
    CHOICES = "choices"


@dataclass(frozen=True)
class Feature:
    """An input of the model, and a column of the table.

    `minimum` and `maximum` limit the values that the service accepts; they are not the training range. A feature of the
    kind CHOICES has `choices` instead: each code with its label, which may be the code itself.
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
        """The accepted values as text: "a number from 10 to 80 (kg/m²)" or "1 or 2"."""
        if self.kind is Kind.CHOICES:
            *others, last = map(str, self.choices)
            return f"{', '.join(others)} or {last}"
        number = "a whole number" if self.kind is Kind.INTEGER else "a number"
        return f"{number} from {self.minimum:.15g} to {self.maximum:.15g}{_append_unit(self.unit)}"

    def describe_range(self, low: float, high: float) -> str:
        """A range of values, with the unit: "18 to 42.2 (kg/m²)"."""
        return f"{low:g} to {high:g}{_append_unit(self.unit)}"

    def find_faults(self) -> Iterator[str]:
        """The faults of the description, each as the end of a sentence."""
        if fault := _find_name_fault(self.name):
            yield fault
        ordered = isfinite(self.minimum) and isfinite(self.maximum) and self.minimum < self.maximum
        if self.kind is Kind.CHOICES and len(self.choices) < 2:
            yield "needs two choices or more"
        elif not ordered:
            yield "needs limits that are finite, the lower one first"
        elif not self.accepts(self.example):
            yield f"must have an example that is {self.limits}"

    def accepts(self, value: float) -> bool:
        """Return True if the value is within the limits and of the kind; 2.0 counts as a whole number."""
        if self.kind is Kind.CHOICES:
            return value in self.choices
        whole = self.kind is Kind.REAL or float(value).is_integer()
        return whole and self.minimum <= value <= self.maximum


def _find_name_fault(name: str) -> str | None:
    """The reason why the name cannot be a request field and a column; None if it can."""
    if not (name.isidentifier() and name.isascii() and name == name.lower()) or name.startswith("_"):
        return "is not a name of small letters, digits and underscores that starts with a letter"
    if len(name) > MAX_NAME_LENGTH:
        return f"is longer than {MAX_NAME_LENGTH} characters"
    if name in RECORD_NAMES:
        return "is the name of something else in a record or an answer"
    if name in SQL_WORDS:
        return "is a word of SQL"
    return None


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
    ends = min(labels, default=0), max(labels, default=0)
    return Feature(name, meaning, "code", Kind.CHOICES, *ends, example, labels)


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
    """The predicted quantity. `minimum` and `maximum` limit its possible values; None means no known limit.

    `example` is a typical value for the documentation of the API.
    """

    name: str
    meaning: str
    unit: str
    minimum: float | None
    maximum: float | None
    example: float

    def find_faults(self) -> Iterator[str]:
        """The faults of the description, each as the end of a sentence."""
        if fault := _find_name_fault(self.name):
            yield fault
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            yield "needs bounds in order"
        elif self.cut(self.example) != self.example:
            yield "must have an example within its bounds"

    @cached_property
    def label(self) -> str:
        """The meaning with the unit, if any: "Weight at birth (kg)"."""
        return f"{self.meaning}{_append_unit(self.unit)}"

    @cached_property
    def limits(self) -> str:
        """The possible values as text: "a number of at least 0 (score)"."""
        number = "a number"
        if self.minimum is not None and self.maximum is not None:
            number += f" from {self.minimum:.15g} to {self.maximum:.15g}"
        elif self.minimum is not None:
            number += f" of at least {self.minimum:.15g}"
        elif self.maximum is not None:
            number += f" of at most {self.maximum:.15g}"
        return f"{number}{_append_unit(self.unit)}"

    def cut(self, value: float) -> float:
        """Return the nearest possible value of the target."""
        if self.minimum is not None:
            value = max(value, self.minimum)
        if self.maximum is not None:
            value = min(value, self.maximum)
        return value


@dataclass(frozen=True)
class Table:
    """The table of a model: its features, its target, and its texts.

    `case` and `cases` name a row in the texts and in the batch request, for example "house" and "houses". `title` is
    the heading of the page and the documentation, `description` describes the API. The page shows `notice` beside every
    prediction; it may be empty. `source` is the origin of the rows.
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

    def __post_init__(self) -> None:
        if faults := list(self._find_faults()):
            raise ValueError(f"problem/table.py: {'; '.join(faults)}")

    def _find_faults(self) -> Iterator[str]:
        names = [feature.name for feature in self.features]
        if not names:
            yield "there are no features"
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"the feature {name} is there more than once"
        for feature in self.features:
            yield from (f"the feature {feature.name!r} {fault}" for fault in feature.find_faults())
        yield from (f"the target {self.target.name!r} {fault}" for fault in self.target.find_faults())
        if fault := _find_name_fault(self.cases):
            yield f"cases {self.cases!r} {fault}"
        for name in {self.target.name, self.cases} & set(names):
            yield f"{name} is the name of a feature and of something else"
        for relation in self.relations:
            if relation.field not in names:
                yield f"a relation is about {relation.field!r}, which is no feature"
            elif not relation.holds(self.example):
                yield f"the examples break the relation of {relation.field}"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features, in the order of the training columns."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def example(self) -> dict[str, float]:
        """The features of one case, by name."""
        return {feature.name: feature.example for feature in self.features}
