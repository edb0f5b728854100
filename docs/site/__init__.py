"""The site: every page, lesson and command of the repository as HTML.

``python -m docs.site`` (or ``make site``) copies the pages, each under its path in the repository, so that their
relative links stay true. Sphinx makes HTML of the copies. Notebooks are shown as they are committed, never executed.
"""
