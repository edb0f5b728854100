"""Experiments with several trainings, or many answers of one network.

Cross-validation, repetition of a run, and the search for settings: each of their trainings is an ordinary run in a
folder of its own. It is evaluated, resumed and repeated like any run.

What a trained network does with images that are cut off or covered, and what its flags cost.
"""
