"""Sliders and lists: the figure follows, and where nobody can drag there is a static picture and nothing else."""

import ast

import nbformat
import pytest

from lumbar.core.constants import HEADLESS
from lumbar.course import runner
from lumbar.course.sliders import Filters, Slider
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


def test_a_figure_follows_lists_and_a_list_that_allows_any_value_filters_nothing():
    def draw(chosen):
        figure = drawing(1)
        figure.alt = str(chosen)
        return figure

    rate, norm, _, text = Filters(draw, {"rate": [0.1, 0.2], "norm": [False, True]}).widget().children
    assert "{}" in text.value
    norm.value = False
    assert "{'norm': False}" in text.value, "False is a value to filter by"
    rate.value = 0.2
    norm.value = norm.options[0]
    assert "{'rate': 0.2}" in text.value


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


def test_a_figure_that_cannot_be_shown_says_why():
    def draw(value):
        return drawing({1: 10}[value])

    slider, _, text = Slider(draw, [1, 2], name="height", start=1).widget().children
    slider.value = 2
    assert text.value == "The figure cannot be shown: KeyError: 2"


def names(tree: ast.AST, context: type) -> set[str]:
    """Return the names that code reads (`ast.Load`) or binds (`ast.Store`)."""
    return {each.id for each in ast.walk(tree) if isinstance(each, ast.Name) and isinstance(each.ctx, context)}


def outer_names(function: ast.Lambda | ast.FunctionDef) -> set[str]:
    """Return the names that a function reads and does not bind itself."""
    own = {argument.arg for argument in function.args.args}
    return names(function, ast.Load) - names(function, ast.Store) - own


def test_no_later_cell_of_a_lesson_changes_what_a_slider_shows():
    """A slider calls its function when somebody drags it: by then the names it reads may mean something else."""
    seen = 0
    for path in runner.notebooks():
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        trees = [ast.parse(cell.source) for cell in cells if "colab" not in cell.metadata.get("tags", ())]
        functions = {each.name: each for tree in trees for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
        for number, tree in enumerate(trees):
            for call in ast.walk(tree):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("Slider", "Filters"):
                    draw, seen = call.args[0], seen + 1
                    read = {draw.id} if isinstance(draw, ast.Name) else outer_names(draw)
                    for name in read & functions.keys():
                        read |= outer_names(functions[name])
                    later = set().union(*(names(each, ast.Store) for each in trees[number + 1 :]))
                    assert read & later == set(), path.name
    assert seen >= 10
