"""Sliders: the figure follows, and where nobody can drag there is a static picture and nothing else."""

import pytest

from lumbar.core.constants import HEADLESS
from lumbar.course.sliders import Slider
from lumbar.figures.style import Drawing

VIEW = "application/vnd.jupyter.widget-view+json"


def drawing(value: float) -> Drawing:
    figure = Drawing(figsize=(1, 1))
    figure.subplots().plot([0, value])
    figure.alt = f"A line up to {value}."
    return figure


@pytest.fixture
def shown(monkeypatch):
    outputs = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw, metadata: outputs.append((data, metadata)))
    return outputs


def test_the_figure_and_its_text_follow_the_slider():
    slider, picture, text = Slider(drawing, [1, 2, 3], name="height", start=2).widget().children
    before = picture.value
    assert "up to 2" in text.value
    slider.value = 3
    assert picture.value != before
    assert "up to 3" in text.value


def test_an_output_has_a_static_picture_beside_the_slider_and_without_a_browser_nothing_else(shown, monkeypatch):
    monkeypatch.delenv(HEADLESS, raising=False)
    slider = Slider(drawing, [1, 2, 3], name="height", start=2)
    slider._ipython_display_()
    monkeypatch.setenv(HEADLESS, "1")
    slider._ipython_display_()
    Slider(drawing, [1], name="height", start=1, instead=drawing(7))._ipython_display_()
    (live, _), (static, metadata), (_, other) = shown
    assert {VIEW, "image/png"} <= set(live)
    assert VIEW not in static
    assert metadata["image/png"]["alt"] == "A line up to 2."
    assert other["image/png"]["alt"] == "A line up to 7."
