"""One patient's study: its series in order, the mid-sagittal slice, and the axial slice of each disc level.

>>> found = lumbar.study.locate(["STUDY"])  # doctest: +SKIP
>>> found.table  # doctest: +SKIP
"""

from lumbar.runs.settings import LocateSettings
from lumbar.study.locating import Located, locate
from lumbar.study.reading import read_study

__all__ = ["LocateSettings", "Located", "locate", "read_study"]
