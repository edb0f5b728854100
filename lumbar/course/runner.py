"""Run the course: execute the notebooks one after another, and write a page for each and a summary page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lumbar.core import paths
from lumbar.core.errors import OutputError, SettingsError
from lumbar.course.execution import Executed, execute
from lumbar.course.exercises import without_solutions
from lumbar.course.highlights import Highlight, read_highlight
from lumbar.course.notebook import read_notebook
from lumbar.course.parameters import check_parameters, read_mapping
from lumbar.exports import notices
from lumbar.reports.page import write
from lumbar.storage.files import atomic_write, describe_os_error, write_json
from lumbar.storage.locks import exclusive_lock

NOTEBOOKS = (paths.REPOSITORY if paths.is_checkout() else paths.PACKAGE / "course") / "notebooks"


@dataclass(frozen=True)
class Summary:
    """The outcome of `run_course`.

    Args:
        out: Folder of the results.
        lessons: The outcome of each notebook, in the order of execution.
    """

    out: Path
    lessons: tuple[Executed, ...]

    @property
    def complete(self) -> bool:
        """Whether all notebooks were executed without an error."""
        return all(lesson.complete for lesson in self.lessons)

    @cached_property
    def highlights(self) -> list[Highlight]:
        """What each notebook shows for itself."""
        return [read_highlight(self.out / f"{lesson.name}.ipynb") for lesson in self.lessons]

    def __str__(self) -> str:
        rows = [
            f"  {each.name:<20} {each.state:<6} {each.minutes:5.1f} min  {in_words(each, highlight)}"
            for each, highlight in zip(self.lessons, self.highlights, strict=True)
        ]
        total = sum(lesson.minutes for lesson in self.lessons)
        return "\n".join(
            [f"The course took {total:.1f} minutes:", *rows, f"Open {self.out / 'index.html'} to read the notebooks."]
        )


def notebooks(only: list[str] | None = None) -> list[Path]:
    """Return the paths of the notebooks of the course, in order.

    Args:
        only: Select the notebooks whose names begin with one of these.

    Raises:
        SettingsError: If there are no notebooks, or no name begins with one of `only`.
    """
    found = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise SettingsError(
            "there are no notebooks here",
            file=NOTEBOOKS,
            remedy="install the package again",
        )
    for prefix in only or ():
        if not any(path.name.startswith(prefix) for path in found):
            raise SettingsError(
                "no such notebook", field="only", found=prefix, expected=", ".join(path.stem for path in found)
            )
    return [path for path in found if only is None or path.name.startswith(tuple(only))]


def find(notebook: str) -> Path:
    """Return the path of a notebook.

    Args:
        notebook: A path, or the beginning of the name of a notebook of the course.

    Raises:
        SettingsError: If there is no such notebook, the beginning fits several, or it is not a notebook in Python.
    """
    if Path(notebook).is_file():
        path = Path(notebook).absolute()
        read_notebook(path)
        return path
    known = notebooks()
    found = [path for path in known if path.name.startswith(notebook)]
    if len(found) != 1:
        raise SettingsError(
            "the names of several notebooks begin like this" if found else "no such notebook",
            field="notebook",
            found=notebook,
            expected=f"a path, or the beginning of one of {', '.join(path.stem for path in found or known)}",
        )
    return found[0]


def read_profile(path: Path) -> dict[str, dict[str, Any]]:
    """Return the parameters for each notebook from a YAML file with lines ``notebook name: {PARAMETER: value}``.

    Returns:
        Notebook name → parameter → value.

    Raises:
        SettingsError: If the file is not a profile, or a notebook or parameter that it names does not exist.
    """
    if not path.is_file():
        offered = ", ".join(str(profile) for profile in sorted((NOTEBOOKS / "profiles").glob("*.yaml")))
        raise SettingsError("no such profile", file=path, expected=offered)
    profile = read_mapping(path)
    for name, parameters in profile.items():
        source = NOTEBOOKS / f"{name}.ipynb"
        if not source.is_file():
            raise SettingsError("the profile names a notebook that does not exist", file=path, field=name)
        if not isinstance(parameters, dict):
            raise SettingsError(
                "the entry of a notebook must be a mapping", file=path, field=name, expected="{PARAMETER: value, …}"
            )
        check_parameters(source, {parameter: [value] for parameter, value in parameters.items()}, file=path)
    return profile


def run_course(out: Path, *, profile: Path | None = None, only: list[str] | None = None) -> Summary:
    """Execute the notebooks without a browser; if one fails, the failure is reported and the others still run.

    Args:
        out: Folder for NN_name.ipynb (executed), NN_name.html, summary.json and index.html.
        profile: YAML file of parameters, see `read_profile`; by default the notebooks' own values.
        only: Select the notebooks whose names begin with one of these.

    Raises:
        SettingsError: If the profile or `only` names something that does not exist, or a notebook cannot be read.
        RunError: If another process is at work in the folder.
        OutputError: If the results cannot be written.
    """
    parameters = read_profile(profile) if profile else {}
    lessons = []
    chosen = notebooks(only)
    for source in chosen:
        read_notebook(source)  # so that a damaged file is refused before the others are executed
    with exclusive_lock(out):
        for number, source in enumerate(chosen, start=1):
            print(f"[{number}/{len(chosen)}] {source.stem}", flush=True)
            lessons.append(execute(source, out / source.name, parameters.get(source.stem, {}), folder=source.parent))
        summary = Summary(out, tuple(lessons))
        write_json(out / "summary.json", {"lessons": [asdict(each) for each in lessons], "complete": summary.complete})
        write(out / "index.html", "course.html.j2", content(summary))
    return summary


def write_handouts(out: Path, only: list[str] | None = None) -> list[Path]:
    """Write the notebooks as a teacher hands them out: without solutions and outputs.

    Args:
        out: Folder for them; a file that is there is never replaced, since a student may have worked in it.
        only: Select the notebooks whose names begin with one of these.

    Returns:
        The files.

    Raises:
        SettingsError: If `only` names a notebook that does not exist, or one cannot be read.
        OutputError: If a file is there already, or cannot be written.
    """
    import nbformat

    chosen = notebooks(only)
    for source in chosen:
        if (out / source.name).exists():
            raise OutputError(
                "this file is there already, and somebody may have worked in it",
                file=out / source.name,
                remedy="give a folder without the notebooks",
            )
    with describe_os_error(out):
        out.mkdir(parents=True, exist_ok=True)
    for source in chosen:
        with atomic_write(out / source.name) as unfinished:
            nbformat.write(without_solutions(read_notebook(source)), unfinished)
    return [out / source.name for source in chosen]


def content(summary: Summary) -> dict[str, Any]:
    """Return the values that the template ``course.html.j2`` needs."""
    rows = [
        {
            "name": each.name,
            "complete": each.complete,
            "state": each.state,
            "minutes": each.minutes,
            "title": f"{each.name.partition('_')[0]} {highlight.title}" if highlight.title else each.name,
            "result": in_words(each, highlight),
            "cover": highlight.cover,
        }
        for each, highlight in zip(summary.lessons, summary.highlights, strict=True)
    ]
    return {"notices": notices(synthetic=False), "lessons": rows}


def in_words(lesson: Executed, highlight: Highlight) -> str:
    """Return the error of a notebook, its result in words, or else the numbers that it recorded, in one line."""
    if lesson.error or highlight.result:
        return lesson.error or highlight.result
    numbers = {name: value for name, value in lesson.recorded.items() if not isinstance(value, bool)}
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in numbers.items()
    )
