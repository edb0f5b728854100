"""The diagram of a network, read off the Keras model: shapes, kernels, skip connections, and where the weights sit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Patch, Rectangle

from lumbar.figures.style import BLUE, GREEN, GREY, ORANGE, VERMILION, Drawing, styled

if TYPE_CHECKING:
    import keras

RESIZING = ("MaxPooling2D", "UpSampling2D")
"""Kinds of layers that only resize maps; they count to the stage that follows."""

COLOURS = {"encoder": BLUE, "decoder": GREEN, "numbers": ORANGE}
"""Part of a network → its colour."""

KEY = "In a box: channels of the maps, or how many numbers. Below it: kernels of the convolutions."

BOX_HEIGHT = 0.46
"""In rows of the diagram."""


@dataclass
class Stage:
    """Layers in a row that give maps, or numbers, of one shape.

    Args:
        shape: Shape of what they give, without the batch: (height, width, channels) of maps, or any other of numbers.
        part: "encoder" up to the coarsest maps, then "decoder"; "numbers" where there are no maps.
        kinds: Class names of the layers.
        notes: The kernel of each convolution, in words.
        weights: Number of weights of the layers.
    """

    shape: tuple[int, ...]
    part: str = "numbers"
    kinds: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    weights: int = 0

    @property
    def side(self) -> int:
        """Height of the maps, pixels; 0 for numbers."""
        return self.shape[0] if len(self.shape) == 3 else 0

    def __str__(self) -> str:
        return _by(self.shape)


@styled
def network_diagram(model: keras.Model) -> Drawing:
    """Draw a network from its input on the left to its answer on the right, and below it how many weights sit where.

    Args:
        model: Any network of `lumbar.models`, or another functional model whose layers follow one another, apart from
            skip connections.
    """
    stages, skips = network_stages(model)
    rows = sorted({stage.side for stage in stages}, reverse=True)
    places = [(order, -rows.index(stage.side)) for order, stage in enumerate(stages)]
    figure = Drawing(figsize=(1.6 + 0.68 * len(stages), 2.6 + 0.6 * len(rows)))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(0.6 * len(rows), 1.1))
    for stage, place in zip(stages, places, strict=True):
        _add_box(above, stage, *place)
    for order in range(1, len(stages)):
        (x, y), (next_x, next_y) = places[order - 1 : order + 1]
        ends = (x + _width(stages[order - 1]) / 2, y), (next_x - _width(stages[order]) / 2, next_y)
        _add_arrow(above, ends, color=GREY)
    for order, later in skips:
        ends = [(x, y + BOX_HEIGHT / 2) for x, y in (places[order], places[later])]
        bend = f"arc3,rad={-0.35 / (later - order) ** 0.5}"
        _add_arrow(above, ends, color=VERMILION, linestyle="--", connectionstyle=bend)
    above.set(xlim=(-0.7, len(stages) - 0.3), ylim=(0.3 - len(rows), 0.6), yticks=[-row for row in range(len(rows))])
    above.set_yticklabels([f"{side}×{side}" if side else "numbers" for side in rows])
    above.set_ylabel("size of the maps, pixels")
    above.tick_params(length=0, labelbottom=False)
    above.spines[:].set_visible(False)
    above.grid(visible=False)
    above.set_title(KEY, fontsize=9)
    _plot_weights(below, stages)
    handles = [Patch(color=COLOURS[part], label=part) for part in dict.fromkeys(stage.part for stage in stages)]
    if skips:
        handles.append(Line2D([], [], color=VERMILION, linestyle="--", label="skip connection"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    total, heaviest = sum(stage.weights for stage in stages), max(stages, key=lambda stage: stage.weights)
    figure.suptitle(f"{model.name}: {total:,} weights")
    joined = ", ".join(f"from {stages[order]} to {stages[later]}" for order, later in skips)
    figure.alt = (
        f"Diagram of the network {model.name}. Its stages give {', '.join(map(str, stages))}. "
        f"Skip connections between stages: {joined or 'none'}. "
        f"{100 * heaviest.weights / total:.0f} % of the {total:,} weights sit in the stage that gives {heaviest}."
    )
    return figure


def network_stages(model: keras.Model) -> tuple[list[Stage], list[tuple[int, int]]]:
    """Return the stages of a network in order, and which of them a skip connection joins.

    Args:
        model: See `network_diagram`.

    Returns:
        The stages, and pairs of positions in that list, of a stage and of a later one to which its maps are joined.
    """
    described = {part["name"]: part for part in model.get_config()["layers"]}
    stages, stage_of = [], {}
    for layer in model.layers:
        shape, kind = tuple(layer.output.shape[1:]), described[layer.name]["class_name"]
        if not stages or not _goes_on(stages[-1], shape):
            stages.append(Stage(shape))
        stage = stages[-1]
        stage.shape = shape
        stage.kinds.append(kind)
        stage.weights += layer.count_params()
        if kind == "Conv2D":
            stride = layer.strides[0]
            stage.notes.append(_by(layer.kernel_size) + (f"\nstride {stride}" if stride > 1 else ""))
        elif kind == "Dense":
            stage.notes.append("dense")
        stage_of[layer.name] = len(stages) - 1
    coarsest = min(stage.side for stage in stages if stage.side)
    bottom = max(order for order, stage in enumerate(stages) if stage.side == coarsest)
    for order, stage in enumerate(stages):
        if stage.side:
            stage.part = "decoder" if order > bottom else "encoder"
    pairs = ((source, name) for name, each in described.items() for source in _sources(each["inbound_nodes"]))
    joined = [(stage_of[source], stage_of[name]) for source, name in pairs]
    return stages, [(order, later) for order, later in joined if order < later - 1]


def _goes_on(stage: Stage, shape: tuple[int, ...]) -> bool:
    """Return whether a layer that gives this shape belongs to the stage; maps may have been resized before."""
    resized = all(kind in RESIZING for kind in stage.kinds) and stage.shape[:2] == shape[:2] and len(shape) == 3
    return stage.shape == shape or resized


def _sources(inbound: Any) -> Iterator[str]:
    """Yield the names of the layers whose outputs a layer takes, from its description in the model's configuration."""
    if isinstance(inbound, dict):
        if "keras_history" in inbound:
            yield inbound["keras_history"][0]
        inbound = list(inbound.values())
    if isinstance(inbound, (list, tuple)):
        for each in inbound:
            yield from _sources(each)


def _by(sizes: tuple[int, ...]) -> str:
    return "×".join(f"{size:,}" for size in sizes)


def _width(stage: Stage) -> float:
    """Return the width of a stage's box, which grows with the logarithm of the channels."""
    return 0.2 + 0.055 * float(np.log2(stage.shape[-1])) if stage.side else 0.6


def _add_box(axes: Axes, stage: Stage, x: float, y: float) -> None:
    width, colour = _width(stage), COLOURS[stage.part]
    for look in ({"facecolor": colour, "alpha": 0.25}, {"fill": False, "edgecolor": colour, "linewidth": 1.5}):
        axes.add_patch(Rectangle((x - width / 2, y - BOX_HEIGHT / 2), width, BOX_HEIGHT, **look))
    inside = _by(stage.shape[-1:] if stage.side else stage.shape)
    axes.text(x, y, inside, ha="center", va="center", fontsize=9)
    below = {"ha": "center", "va": "top", "fontsize": 7.5, "color": "#444444", "linespacing": 0.95}
    axes.text(x, y - BOX_HEIGHT / 2 - 0.04, "\n".join(stage.notes), **below)


def _add_arrow(axes: Axes, ends: tuple, **look: Any) -> None:
    axes.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=8, shrinkA=0, shrinkB=0, **look))


def _plot_weights(axes: Axes, stages: list[Stage]) -> None:
    weights = [stage.weights for stage in stages]
    bars = axes.bar(range(len(stages)), weights, color=[COLOURS[stage.part] for stage in stages], width=0.6)
    axes.bar_label(bars, [f"{count:,}" if count else "" for count in weights], fontsize=8, padding=2)
    axes.set(ylabel="weights", ylim=(0, 1.25 * max(weights)), xticks=[])
    axes.yaxis.set_major_formatter("{x:,.0f}")
