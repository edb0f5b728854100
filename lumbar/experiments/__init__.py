"""Experiments that consist of several trainings: cross-validation, repetition of a run, and the search for settings.

Each of their trainings is an ordinary run in a folder of its own. It is evaluated, resumed and repeated like any run.
"""
