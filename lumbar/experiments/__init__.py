"""Experiments made of several trainings: cross-validation, repetition of a run, and the search for settings.

Each training in them is an ordinary run in a folder of its own, which is evaluated, resumed and repeated like any.
"""
