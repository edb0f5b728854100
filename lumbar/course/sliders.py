"""A figure with a slider, for ideas that move; where nobody can drag it, a static figure stands in its place."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lumbar.core.constants import HEADLESS

if TYPE_CHECKING:
    from lumbar.figures.style import Drawing


class Slider:
    """A figure that follows a slider; on the last line of a notebook cell it shows itself.

    Args:
        draw: Function that returns the figure for a value.
        values: The values to choose from, in order.
        name: What the value is, with its unit.
        start: The value to begin with, one of `values`.
        instead: The figure where nobody can drag: in notebooks executed without a browser, and in pages made of them.
            The default is the one of `start`.
    """

    def __init__(
        self,
        draw: Callable[[Any], Drawing],
        values: Sequence[Any],
        *,
        name: str,
        start: Any,
        instead: Drawing | None = None,
    ):
        self._draw, self._values, self._name, self._start = draw, list(values), name, start
        self._instead = instead

    def _ipython_display_(self) -> None:
        from IPython.display import display

        data, metadata = (self._instead or self._draw(self._start)).as_output()
        if not os.environ.get(HEADLESS):
            data = {**self.widget()._repr_mimebundle_(), **data}
        display(data, raw=True, metadata=metadata)

    def widget(self) -> Any:
        """Return the slider and its figure as one Jupyter widget."""
        import ipywidgets

        wide = ipywidgets.Layout(width="32rem", max_width="100%")
        words = {"description": f"{self._name}:", "style": {"description_width": "initial"}, "layout": wide}
        chosen = ipywidgets.SelectionSlider(options=self._values, value=self._start, continuous_update=False, **words)
        picture = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%"))
        text = ipywidgets.HTML()

        def show(_: object = None) -> None:
            try:
                data, metadata = self._draw(chosen.value).as_output()
            except Exception as error:  # widgets would leave the old figure, and put the reason into a log
                text.value = html.escape(f"The figure cannot be shown: {type(error).__name__}: {error}")
                return
            picture.value = data["image/png"]
            # The widget of an image has no text alternative; this line is for readers who cannot see it.
            text.value = f'<small aria-live="polite">{metadata["image/png"]["alt"]}</small>'

        chosen.observe(show, "value")
        show()
        return ipywidgets.VBox([chosen, picture, text])
