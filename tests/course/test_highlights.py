"""What a notebook shows for itself on the page of the course: its title, a picture, and its result in words."""

import base64
import io

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from lumbar.course import exercises, runner
from lumbar.course.execution import Executed
from lumbar.course.highlights import WIDTH, Highlight, read_highlight

NOTEBOOKS = runner.notebooks()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_notebook_has_a_title_a_result_with_a_unit_and_a_picture(path):
    found = read_highlight(path)
    assert found.title
    assert any(unit in found.result for unit in (" px", " mm", "%"))
    assert not set("{}") & set(found.result)
    assert found.cover.width <= WIDTH
    assert len(found.cover.alt.split()) >= 5


def notebook(recorded, *, result="{error_px:.1f} px off, {gone:.0f} gone", tags=("cover",)):
    picture = io.BytesIO()
    Image.new("L", (1000, 500)).save(picture, "png")
    figure = {"image/png": base64.b64encode(picture.getvalue()).decode()}
    outputs = [
        new_output("display_data", {exercises.MIME_TYPE: recorded}),
        new_output("display_data", figure, metadata={"image/png": {"alt": "A black picture."}}),
    ]
    cells = [new_markdown_cell("Before\n\n# A title\n\n# Another"), new_code_cell("pass", outputs=outputs)]
    cells[1].metadata["tags"] = list(tags)
    return new_notebook(cells=cells, metadata={"lumbar": {"result": result}})


def test_the_result_holds_the_values_of_this_very_run(tmp_path):
    nbformat.write(notebook({"error_px": 1.26, "gone": 3}), tmp_path / "one.ipynb")
    found = read_highlight(tmp_path / "one.ipynb")
    assert (found.title, found.result) == ("A title", "1.3 px off, 3 gone")
    assert (found.cover.width, found.cover.height, found.cover.alt) == (WIDTH, WIDTH // 2, "A black picture.")
    assert read_highlight(tmp_path / "one.ipynb", 1600).cover.width == 1000, "a smaller picture stays as it is"


def test_what_a_notebook_lacks_is_left_out(tmp_path):
    nbformat.write(notebook({"error_px": 1.26}, tags=()), tmp_path / "one.ipynb")
    assert read_highlight(tmp_path / "one.ipynb") == Highlight("A title")
    nbformat.write(new_notebook(), tmp_path / "empty.ipynb")
    assert read_highlight(tmp_path / "empty.ipynb") == read_highlight(tmp_path / "absent.ipynb") == Highlight()


def test_an_error_comes_first_then_the_result_then_the_numbers():
    lesson = Executed("one", True, 1.0, {"double": 42, "solved": True})
    assert runner.in_words(lesson, Highlight()) == "double 42"
    assert runner.in_words(lesson, Highlight(result="All of them.")) == "All of them."
    failed = Executed("one", False, 1.0, {"double": 42}, "cell 3: ValueError")
    assert runner.in_words(failed, Highlight(result="All of them.")) == "cell 3: ValueError"
