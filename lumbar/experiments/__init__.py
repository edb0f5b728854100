"""Experiments with several trainings, or many answers of one network.

Cross-validation, learning curve, repetition of a run, and the search for settings: each of their trainings is an
ordinary run in a folder of its own. It is evaluated, resumed and repeated like any run.

`label_audit` ranks labels by the answers of networks that have not seen them. `cut_off`, `occlusion` and `flags` ask
what a trained network does with images that are cut off or covered, and what its flags cost.
"""
