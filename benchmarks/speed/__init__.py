"""Measure the speed of this package beside other software: ``python -m benchmarks.speed``."""
