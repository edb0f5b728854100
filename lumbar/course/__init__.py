"""The course: exercises that check themselves, and notebooks that are executed without a browser.

Notebooks import `exercises`. `execution` executes one notebook with given parameters, `runner` executes all of them in
order, and `sweep` executes one of them for each combination of parameters in a `grid`; `comparison` compares the
results. `notebook` and `parameters` read the files.
"""
