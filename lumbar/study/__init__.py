"""One patient's study: its sorted series, the mid-sagittal slice, the five disc levels and their axial slices.

>>> found = lumbar.study.locate(["STUDY"])  # doctest: +SKIP
>>> found.table  # doctest: +SKIP
"""

from lumbar.runs.settings import LocateSettings
from lumbar.study.locating import Located, locate
from lumbar.study.reading import read_study

__all__ = ["LocateSettings", "Located", "locate", "read_study"]
