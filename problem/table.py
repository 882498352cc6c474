"""The diabetes data: ten clinical measurements, and the progression of the disease one year later.

Names and order are those of scikit-learn's `load_diabetes(scaled=False)`, with the data of Efron, Hastie,
Johnstone and Tibshirani, "Least Angle Regression", Annals of Statistics 32 (2004). The limits are those of a living
person. The examples are the first patient of the study, with a progression of 151.
"""

from lambda_app.table import Relation, Table, Target, choices, real

# The study rounds s1 and s3, and s4 for most patients, to whole numbers. In the ranges of its patients, the three
# roundings change s4 by up to 0.73. The largest difference among the 442 patients is 0.65.
RATIO_TOLERANCE = 0.75

TABLE = Table(
    title="Diabetes progression after one year",
    description="""Predicts the progression of diabetes one year after ten clinical measurements were taken,
from a model trained on the 442 patients of Efron et al. (2004). Every prediction is recorded before it is sent.
For study and engineering; not a medical device.""",
    introduction=(
        "Enter ten measurements of a patient to get the expected progression of the disease one year later. The "
        "model was trained on the 442 patients of one study."
    ),
    notice=("Not medical advice. The model is for study. Do not use it for decisions about the treatment of a person."),
    source=(
        "Efron, Hastie, Johnstone and Tibshirani, “Least Angle Regression”, 2004. The progression score has no unit, "
        "and the study does not describe how it was measured."
    ),
    case="patient",
    cases="patients",
    features=(
        real("age", "Age", "years", 0, 120, example=59),
        choices(
            "sex",
            "Sex, as coded in the study, which does not say which is which",
            {1: "Code 1", 2: "Code 2"},
            example=2,
        ),
        real("bmi", "Body mass index", "kg/m²", 10, 80, example=32.1),
        real("bp", "Mean arterial blood pressure", "mmHg", 30, 200, example=101),
        real("s1", "Total serum cholesterol", "mg/dL", 50, 600, example=157),
        real("s2", "Low-density lipoproteins (LDL)", "mg/dL", 10, 500, example=93.2),
        real("s3", "High-density lipoproteins (HDL)", "mg/dL", 5, 150, example=38),
        real("s4", "Total cholesterol divided by HDL", "ratio", 1, 30, example=4),
        real("s5", "Natural logarithm of serum triglycerides", "ln(mg/dL)", 2, 9, example=4.8598),
        real("s6", "Blood sugar", "mg/dL", 20, 600, example=87),
    ),
    # A score starts at zero and has no known upper limit: new patients may exceed the range of the study.
    target=Target("progression", "Disease progression one year after baseline", "score", 0.0, None, example=151),
    relations=(
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
    ),
)
