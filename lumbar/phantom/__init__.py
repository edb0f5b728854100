"""Synthetic patients: anatomy, contrast, rendering of any plane, and studies written as DICOM."""
