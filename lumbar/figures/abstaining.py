"""What is answered and what is not, if a network must be sure enough to answer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lumbar.figures.style import BLACK, BLUE, GREY, VERMILION, Drawing, format_number, styled


@styled
def abstaining(
    radial: Mapping[str, np.ndarray], confidence: Mapping[str, np.ndarray], limit: float, *, miss_px: float = 10.0
) -> Drawing:
    """Plot each image's error over its confidence, and what becomes of the images if those below a limit are left out.

    Args:
        radial: Name of a network → its radial errors, (N, K), pixels of the 256 frame; no NaN.
        confidence: Name of a network → the confidence by which its N images are judged, 0 to 1.
        limit: Images with a lower confidence are not answered.
        miss_px: Mean error of an image above which its answer counts as wrong, pixels of the 256 frame.
    """
    figure = Drawing(figsize=(4.7 * len(radial), 3.9))
    words = []
    panels = figure.subplots(1, len(radial), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (name, errors) in zip(panels, radial.items(), strict=True):
        means, sure = errors.mean(axis=1), np.asarray(confidence[name])
        answered, wrong = sure >= limit, means > miss_px
        kinds = {
            "answered, right": (answered & ~wrong, {"c": BLUE, "marker": "o", "s": 14, "alpha": 0.5}),
            "answered, wrong": (answered & wrong, {"c": VERMILION, "marker": "X", "s": 46}),
            "left out, right": (~answered & ~wrong, {"facecolors": "none", "edgecolors": GREY, "marker": "o", "s": 14}),
            "left out, wrong": (~answered & wrong, {"c": BLACK, "marker": "x", "s": 34}),
        }
        for label, (which, look) in kinds.items():
            axes.scatter(sure[which], means[which], label=label, **look)
        axes.axvline(limit, color=BLACK, linewidth=1, linestyle="--")
        rest = f"{format_number(means[answered].mean())} px off" if answered.any() else "no picture left"
        passing = f"{(answered & wrong).sum()} of {wrong.sum()} wrong ones pass"
        stated = f"{100 * answered.mean():.0f} % answered, {rest}; {passing}"
        axes.set_title(f"{name}\n{stated}", fontsize=10)
        axes.set(xlabel="confidence of the least sure point", yscale="log")
        axes.yaxis.set_major_formatter("{x:g}")
        words.append(f"{name}: {stated}")
    panels[0].set_ylabel("mean radial error of a picture, px of 256")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.alt = f"Error over confidence, a mark a picture, with a limit at {limit:g}. {'. '.join(words)}."
    return figure
