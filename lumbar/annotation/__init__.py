"""Mark points by hand, or correct those of a network, on the image itself.

`lumbar.annotate` opens a session on files, or on a table of points: `cases` finds what there is to mark, `slices` shows
one slice as the editor does, `editor` is the widget for notebooks (its look and its keys are in ``editor.js`` and
``editor.css``), `session` keeps the points in native pixels with their rater and the time, `drafts` keeps them from
getting lost, and `saving` writes a folder that `lumbar check` and `train --data` read.

The editor needs the extra `course`.
"""

from __future__ import annotations

from lumbar.annotation.saving import Saved
from lumbar.annotation.session import Annotation, annotate

__all__ = ["Annotation", "Saved", "annotate"]
