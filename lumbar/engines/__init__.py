"""The engines that run a trained network: ONNX Runtime, which starts at once, and Keras, in which it was trained.

`start` gives a network ready to answer. The answers of the two differ by rounding alone (see tests/engines). ONNX
Runtime needs the network as an ONNX file: a released network has one, and that of a run is written when it is first
asked, beside best.keras.
"""

from lumbar.engines.network import Network
from lumbar.engines.starting import start

__all__ = ["Network", "start"]
