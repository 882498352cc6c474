"""The parts of the model card that only the owner of the data can write, as Markdown."""

SUMMARY = "predicts a score of disease progression one year after ten clinical measurements of a person with diabetes"

INTENDED_USE = """- Study and teaching: a small regression problem with its uncertainty.
- Engineering of machine learning services: a real model to train, serve, log and roll back.

It is **not** for diagnosis, **not** for treatment or any other decision about a person, and **not** a medical device.
It is not for people unlike those of the study: patients with diabetes, within the ranges below."""

LIMITS = """- The data has the patients of one study. Its time, its place and their ethnicity are not known here, and
nothing
shows that other people are like them.
- The score has no unit, and no threshold of it has a clinical meaning."""

DATA = """of one study, published by Efron, Hastie, Johnstone and Tibshirani, "Least Angle Regression", Annals of
Statistics 32 (2004), and read by scikit-learn's `load_diabetes(scaled=False)`"""
