"""The parts of the model card that only the table's owner can write, as Markdown."""

SUMMARY = "predicts a score of disease progression one year after ten clinical measurements of a person with diabetes"

INTENDED_USE = """- Study and teaching: a small regression problem, carried through with its uncertainty.
- Engineering of machine learning services: something real to train, serve, log and roll back.

It is **not** for diagnosis, **not** for treatment or any other decision about a person, and **not** a medical device.
It is not for people unlike those of the study: patients with diabetes, within the ranges below."""

LIMITS = """- The patients of one study. Its time, place and the patients' ethnicity are not known here, and nothing
  says that other people are like them.
- The score has no unit, and no threshold of it means anything clinical."""

DATA = """of one study, published by Efron, Hastie, Johnstone and Tibshirani, "Least Angle Regression", Annals of
Statistics 32 (2004), and read by scikit-learn's `load_diabetes(scaled=False)`"""
