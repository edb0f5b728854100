"""Trained networks: those released with the package, and those of runs; each with what is known about it.

`registry` finds them, `safe_loading` loads their files without running anything that a stranger put there,
`folding` makes a quicker copy that only answers, `onnx_graph` writes a network as an ONNX file and `onnx_file` checks
one, `calibration` turns probabilities into calibrated ones, and `starting` starts a training from another network's
weights.

A released network is four files in this folder: ``NAME.keras``, ``NAME.onnx``, which is made from it and answers unless
Keras is asked to, ``NAME.json`` (the fields of `Weights`, and the architecture) and ``NAME.md``, its model card: data,
licence, training, results, and what it must not be used for.
"""

from lumbar.weights.registry import DEFAULT, Weights, architecture, find, release, released

__all__ = ["DEFAULT", "Weights", "architecture", "find", "release", "released"]
