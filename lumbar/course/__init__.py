"""The course: exercises that check themselves, and notebooks that are executed without a browser.

Notebooks import `exercises`, whose right and usual wrong answers (`riddles`) stand in `answers`, and `quiz`, whose
questions stand in ``quizzes/``; some also `sliders`, `raters`, `leaderboard` or `escape_room`. `execution` executes one
notebook with given parameters, `runner` executes all of them in order, and `sweep` executes one of them for each
combination of parameters in a `grid`; `comparison` compares the results. `notebook` and `parameters` read the files.
"""
