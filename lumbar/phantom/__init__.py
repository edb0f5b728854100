"""Synthetic patients: anatomy, contrast, rendering of any plane, and studies written as DICOM."""

from lumbar.phantom.study import PhantomSettings, write_dataset, write_study

__all__ = ["PhantomSettings", "write_dataset", "write_study"]
