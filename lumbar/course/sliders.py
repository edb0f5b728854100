"""Figures with a slider or with lists to choose from; where nobody can move them, a static figure stands in place."""

from __future__ import annotations

import html
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lumbar.core.constants import HEADLESS

if TYPE_CHECKING:
    from lumbar.figures.style import Drawing

ANY = "any"
"""Choice in a list of `Filters` that filters nothing."""


class _Interactive(ABC):
    """A figure that follows widgets; on the last line of a notebook cell it shows itself.

    Args:
        start: The values that the widgets begin with.
        instead: The figure where nobody can move the widgets: in notebooks executed without a browser, and in pages
            made of them. The default is the one of `start`.
    """

    def __init__(self, start: Sequence[Any], instead: Drawing | None):
        self._start, self._instead = start, instead

    @abstractmethod
    def _controls(self) -> list[Any]:
        """Return new widgets, each with its value to begin with."""

    @abstractmethod
    def _drawn(self, values: Sequence[Any]) -> Drawing:
        """Return the figure for the values of the widgets."""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        data, metadata = (self._instead or self._drawn(self._start)).as_output()
        if not os.environ.get(HEADLESS):
            data = {**self.widget()._repr_mimebundle_(), **data}
        display(data, raw=True, metadata=metadata)

    def widget(self) -> Any:
        """Return the controls and their figure as one Jupyter widget."""
        import ipywidgets

        controls = self._controls()
        picture = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%"))
        text = ipywidgets.HTML()

        def show(_: object = None) -> None:
            try:
                data, metadata = self._drawn([control.value for control in controls]).as_output()
            except Exception as error:  # widgets would leave the old figure, and put the reason into a log
                text.value = html.escape(f"The figure cannot be shown: {type(error).__name__}: {error}")
                return
            picture.value = data["image/png"]
            # The widget of an image has no text alternative; this line is for readers who cannot see it.
            text.value = f'<small aria-live="polite">{metadata["image/png"]["alt"]}</small>'

        for control in controls:
            control.observe(show, "value")
        show()
        return ipywidgets.VBox([*controls, picture, text])


class Slider(_Interactive):
    """A figure that follows a slider; on the last line of a notebook cell it shows itself.

    Args:
        draw: Function that returns the figure for a value.
        values: The values to choose from, in order.
        name: What the value is, with its unit.
        start: The value to begin with, one of `values`.
        instead: The figure where nobody can drag; the default is the one of `start`.
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
        super().__init__([start], instead)
        self._draw, self._values, self._name = draw, list(values), name

    def _controls(self) -> list[Any]:
        import ipywidgets

        words = {"description": f"{self._name}:", "style": {"description_width": "initial"}, "layout": _wide()}
        (start,) = self._start
        return [ipywidgets.SelectionSlider(options=self._values, value=start, continuous_update=False, **words)]

    def _drawn(self, values: Sequence[Any]) -> Drawing:
        return self._draw(*values)


class Filters(_Interactive):
    """A figure that follows one drop-down list for each of several settings, to look at a part of a table.

    Args:
        draw: Function that returns the figure for what is chosen: setting → value, without the settings that may have
            any value.
        choices: Setting → its values, in order.
        instead: The figure where nobody can choose; the default is the one in which nothing is chosen yet.
    """

    def __init__(
        self,
        draw: Callable[[dict[str, Any]], Drawing],
        choices: Mapping[str, Sequence[Any]],
        *,
        instead: Drawing | None = None,
    ):
        super().__init__([ANY] * len(choices), instead)
        self._draw, self._choices = draw, dict(choices)

    def _controls(self) -> list[Any]:
        import ipywidgets

        style = {"description_width": "9rem"}
        return [
            ipywidgets.Dropdown(options=[ANY, *values], value=ANY, description=f"{name}:", style=style, layout=_wide())
            for name, values in self._choices.items()
        ]

    def _drawn(self, values: Sequence[Any]) -> Drawing:
        return self._draw({name: value for name, value in zip(self._choices, values, strict=True) if value != ANY})


def _wide() -> Any:
    """Return the layout of a control."""
    import ipywidgets

    return ipywidgets.Layout(width="32rem", max_width="100%")
