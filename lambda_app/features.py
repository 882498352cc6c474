"""The ten clinical measurements and what is predicted from them: the one contract of API, table, training and page.

Names and order are those of scikit-learn's `load_diabetes(scaled=False)`, which carries the data of
Efron, Hastie, Johnstone and Tibshirani, "Least Angle Regression", Annals of Statistics 32 (2004).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Feature:
    """One measurement. `minimum` and `maximum` are what a living person can have, not what the training data holds."""

    name: str
    meaning: str
    unit: str
    minimum: float
    maximum: float
    example: float

    @property
    def limits(self) -> str:
        """The accepted values as a person reads them: "a number from 10 to 80 (kg/m²)"."""
        if self.name == SEX:
            return "1 or 2"
        return f"a number from {self.minimum:g} to {self.maximum:g} ({self.unit})"


SEX = "sex"

# The examples are the first patient of the data set, whose progression was 151.
FEATURES = (
    Feature("age", "Age", "years", 0, 120, 59),
    Feature(SEX, "Sex, as coded in the study, which does not say which is which", "code", 1, 2, 2),
    Feature("bmi", "Body mass index", "kg/m²", 10, 80, 32.1),
    Feature("bp", "Mean arterial blood pressure", "mmHg", 30, 200, 101),
    Feature("s1", "Total serum cholesterol", "mg/dL", 50, 600, 157),
    Feature("s2", "Low-density lipoproteins (LDL)", "mg/dL", 10, 500, 93.2),
    Feature("s3", "High-density lipoproteins (HDL)", "mg/dL", 5, 150, 38),
    Feature("s4", "Total cholesterol divided by HDL", "ratio", 1, 30, 4),
    Feature("s5", "Natural logarithm of serum triglycerides", "ln(mg/dL)", 2, 9, 4.8598),
    Feature("s6", "Blood sugar", "mg/dL", 20, 600, 87),
)

FEATURE_NAMES = tuple(feature.name for feature in FEATURES)


@dataclass(frozen=True)
class Relation:
    """What the measurements of one person keep among them; `field` is the one that follows from the others."""

    field: str
    message: str
    holds: Callable[[Mapping[str, float]], bool]


# The study has s4 as a whole number for most patients, which alone is up to 0.5 off, and s1 and s3 for all. Over the
# ranges of its patients these three roundings make 0.73 at most; none of the 442 is further off than 0.65.
RATIO_TOLERANCE = 0.75

RELATIONS = (
    Relation(
        "s1",
        "is below s2 + s3, and total cholesterol is at least LDL and HDL together",
        lambda patient: patient["s2"] + patient["s3"] <= patient["s1"],
    ),
    Relation(
        "s4",
        f"is more than {RATIO_TOLERANCE:g} away from s1 / s3, which defines it",
        lambda patient: abs(patient["s4"] - patient["s1"] / patient["s3"]) <= RATIO_TOLERANCE,
    ),
)


@dataclass(frozen=True)
class Target:
    """What is predicted. `minimum` and `maximum` are what it can possibly be; None where no bound is known."""

    name: str
    meaning: str
    unit: str
    minimum: float | None
    maximum: float | None

    def cut(self, value: float) -> float:
        """The nearest value that the target can have."""
        if self.minimum is not None:
            value = max(value, self.minimum)
        if self.maximum is not None:
            value = min(value, self.maximum)
        return value


# A score counts up from nothing. The study saw 25 to 346, which bounds nobody: of the next patients some are beyond it.
TARGET = Target("progression", "Disease progression one year after baseline", "score", 0.0, None)
