"""Measurements of speed and accuracy beside other software; the results are files beside the code."""
