"""One patient's study: its series put in order, the mid-sagittal slice, and the axial slice of each disc level.

>>> found = lumbar.study.locate(["STUDY"])  # doctest: +SKIP
>>> found.table  # doctest: +SKIP
"""

from lumbar.study.locating import Located, LocateSettings, locate

__all__ = ["LocateSettings", "Located", "locate"]
