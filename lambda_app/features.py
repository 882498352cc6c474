"""The ten clinical measurements: the one contract of API, table, training and page.

Names and order are those of scikit-learn's `load_diabetes(scaled=False)`, which carries the data of
Efron, Hastie, Johnstone and Tibshirani, "Least Angle Regression", Annals of Statistics 32 (2004).
"""

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
