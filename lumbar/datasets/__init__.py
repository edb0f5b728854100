"""Data sets on disk: one small reader for each public layout, all giving the same landmark table.

>>> dataset = lumbar.datasets.load("data/my-patients")  # doctest: +SKIP
>>> dataset.table.head()  # doctest: +SKIP
>>> prepared = lumbar.datasets.prepare(dataset)  # doctest: +SKIP

`loading` finds the reader of a folder, `preparation` makes its images ready for a network, `inspection` looks for
faults, and `download` fetches public sets.
"""

from lumbar.datasets.dataset import Dataset, Reader
from lumbar.datasets.loading import READERS, find_reader, load
from lumbar.datasets.preparation import load_prepared, prepare

__all__ = ["READERS", "Dataset", "Reader", "find_reader", "load", "load_prepared", "prepare"]
