"""From a network's heatmaps to the points of an image: the levels are decoded together, each with its confidence.

A single heatmap may have two peaks, because the first sacral disc looks much like the last lumbar one. The five
heatmaps of an image, taken together, resolve the doubt: neighbouring levels lie a known step apart. So each row of
peaks, one for each level, gets a score: the probability that the heatmaps give it, times how common its steps are (a
pictorial structure, Felzenszwalb & Huttenlocher, IJCV 2005). The row with the highest score is the answer. A network
that also knows the discs above and below the five levels gives longer rows, in which a count that is one off shows.

Arrays are those of NumPy, or of any library with the Python array API standard: with those of ndonnx the same functions
give an ONNX graph.

`points` is the way in. `peaks` finds the peaks of a heatmap, and `rows` weighs all rows of them, which are `chains`.
`doubts` judges what was found.
"""

from lumbar.decoding.points import NEAR_PIXELS, Decoded, decode, without_heatmaps

__all__ = ["NEAR_PIXELS", "Decoded", "decode", "without_heatmaps"]
