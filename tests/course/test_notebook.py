"""A notebook is read with or without the name of its kernel or language; anything else is an error."""

import copy
import json
import os

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lumbar.core.errors import SettingsError
from lumbar.core.paths import REPOSITORY
from lumbar.course.execution import execute
from lumbar.course.notebook import KERNEL, offered_parameters, read_notebook
from lumbar.course.runner import find

METADATA = {
    "nothing": {},
    "no language": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "no kernel": {"language_info": {"name": "python"}},
    "another environment": {"kernelspec": {"name": "mine", "display_name": "My environment"}},
}


def notebook(folder, metadata, name="tiny"):
    parameters = new_code_cell("NUMBER = 3  # any number")
    parameters.metadata["tags"] = ["parameters"]
    counting = new_code_cell("from lumbar.course import exercises\nexercises.record(double=NUMBER * 2)")
    path = folder / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=[parameters, counting], metadata=copy.deepcopy(metadata)), path)
    return path


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA)
def test_the_parameters_are_found_whatever_the_metadata_say(tmp_path, metadata):
    path = notebook(tmp_path, metadata)
    assert find(str(path)) == path
    assert offered_parameters(path) == {"NUMBER": "3"}


@pytest.mark.slow
@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA)
def test_it_is_executed_and_then_names_its_kernel(tmp_path, metadata):
    path = notebook(tmp_path, metadata, name="{braces} {0}")
    done = execute(path, tmp_path / "out {NUMBER}.ipynb", {"NUMBER": 21}, folder=tmp_path, progress=False)
    assert (done.complete, done.recorded) == (True, {"double": 42})
    executed = json.loads((tmp_path / "out {NUMBER}.ipynb").read_text())
    assert executed["metadata"]["kernelspec"] == KERNEL | metadata.get("kernelspec", {})
    assert (tmp_path / "out {NUMBER}.html").is_file()


@pytest.mark.slow
def test_it_finds_the_package_though_it_is_not_installed(tmp_path):
    """After `pip install -r requirements.txt` only the checkout, where the command runs, has the package."""
    code = "import os\nfrom lumbar.course import exercises\nexercises.record(path=os.environ['PYTHONPATH'])"
    path = tmp_path / "where.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(code)]), path)
    for given, expected in ((None, [str(REPOSITORY)]), ("mine", [str(REPOSITORY), "mine"])):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"PYTHONPATH": given} if given else {}
        done = execute(path, tmp_path / "done.ipynb", {}, folder=tmp_path, environment=environment, progress=False)
        assert done.recorded["path"].split(os.pathsep) == expected


@pytest.mark.parametrize("metadata", [{"language_info": {"name": "R"}}, {"kernelspec": {"language": "julia"}}])
def test_another_language_is_refused(tmp_path, metadata):
    path = notebook(tmp_path, {})
    path.write_text(json.dumps(json.loads(path.read_text()) | {"metadata": metadata}))
    with pytest.raises(SettingsError, match="not in Python"):
        find(str(path))


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"7",
        b'["cells", "nbformat"]',
        b'{"cells": []}',
        b'{"cells": [], "nbformat": 4, "nbformat_minor": 5}',
        b'{"cells": [7], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}',
        b'{"cells": [{"cell_type": "code"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}',
        b'{"worksheets": [], "metadata": {}, "nbformat": 3, "nbformat_minor": 0}',
    ],
)
def test_what_is_not_a_notebook_is_refused(tmp_path, content):
    path = tmp_path / "other.ipynb"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="not a notebook"):
        read_notebook(path)
