"""Read data sets from disk: one small reader per public layout, all of which return the same landmark table.

>>> dataset = lumbar.datasets.load("data/my-patients")  # doctest: +SKIP
>>> dataset.table.head()  # doctest: +SKIP
>>> prepared = lumbar.datasets.prepare(dataset)  # doctest: +SKIP

`loading` finds the reader of a folder, `preparation` prepares the images for a network, and `inspection` looks for
errors. `lumbar.download` downloads public sets.
"""

from lumbar.datasets.dataset import Dataset, Reader
from lumbar.datasets.loading import READERS, find_reader, load
from lumbar.datasets.preparation import load_prepared, prepare

__all__ = ["READERS", "Dataset", "Reader", "find_reader", "load", "load_prepared", "prepare"]
