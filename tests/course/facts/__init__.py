"""Facts for the exercises, and the right answers for them worked out in another way: one module a lesson.

`FACTS` has, for each exercise, facts for which every one of its usual mistakes is an answer of its own. `ANSWERED` has
the right answer for those facts.
"""
