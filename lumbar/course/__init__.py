"""The course: exercises that check themselves, and notebooks executed headless with parameters of the user's own.

`exercises` is what a notebook imports, `execution` runs one notebook, `runner` all of them in order, and `sweep` one of
them for each combination of a `grid` of its parameters.
"""
