"""Hold the course: execute the notebooks one after another and leave them, a page of each, and a summary."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lumbar.core import paths
from lumbar.core.errors import SettingsError
from lumbar.course.execution import Executed, check_parameters, execute, read_mapping
from lumbar.exports import notices
from lumbar.reports.page import write
from lumbar.storage.files import write_json
from lumbar.storage.locks import exclusive_lock

NOTEBOOKS = paths.REPOSITORY / "notebooks"


@dataclass(frozen=True)
class Summary:
    """What `run_course` did, in the order it was done."""

    out: Path
    lessons: tuple[Executed, ...]

    @property
    def complete(self) -> bool:
        """Whether each notebook ran through."""
        return all(lesson.complete for lesson in self.lessons)

    def __str__(self) -> str:
        rows = [
            f"  {each.name:<20} {each.state:<6} {each.minutes:5.1f} min  {_headline(each)}" for each in self.lessons
        ]
        total = sum(lesson.minutes for lesson in self.lessons)
        return "\n".join(
            [f"The course, {total:.1f} minutes in all:", *rows, f"Open {self.out / 'index.html'} to read it."]
        )


def notebooks(only: list[str] | None = None) -> list[Path]:
    """The course's notebooks in order.

    Args:
        only: Keep those whose names begin with one of these.

    Raises:
        SettingsError: If one of `only` names no notebook, or there is none at all.
    """
    found = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise SettingsError(
            "there are no notebooks here",
            file=NOTEBOOKS,
            remedy="clone the repository; an installed package comes without them",
        )
    for prefix in only or ():
        if not any(path.name.startswith(prefix) for path in found):
            raise SettingsError(
                "no such notebook", field="only", found=prefix, expected=", ".join(path.stem for path in found)
            )
    return [path for path in found if only is None or path.name.startswith(tuple(only))]


def find(notebook: str) -> Path:
    """The notebook at a path, or the one of the course whose name begins like this.

    Raises:
        SettingsError: If there is none, or more than one begins so.
    """
    if Path(notebook).is_file():
        return _checked(Path(notebook).absolute())
    known = notebooks()
    found = [path for path in known if path.name.startswith(notebook)]
    if len(found) != 1:
        raise SettingsError(
            "several notebooks begin like this" if found else "no such notebook",
            field="notebook",
            found=notebook,
            expected=f"a path, or the beginning of one of {', '.join(path.stem for path in found or known)}",
        )
    return found[0]


def _checked(path: Path) -> Path:
    try:
        fits = "cells" in json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError):  # no text, no JSON, or JSON that holds nothing
        fits = False
    if not fits:
        raise SettingsError("this is no notebook", file=path, expected="a Jupyter notebook of format 4 (.ipynb)")
    return path


def read_profile(path: Path) -> dict[str, dict[str, Any]]:
    """Parameters for each notebook from a YAML file ``notebook name: {PARAMETER: value}``.

    Raises:
        SettingsError: If the file is no such profile, or a notebook or one of its parameters does not exist.
    """
    if not path.is_file():
        offered = ", ".join(str(profile) for profile in sorted((NOTEBOOKS / "profiles").glob("*.yaml")))
        raise SettingsError("no such profile", file=path, expected=offered)
    profile = read_mapping(path)
    for name, parameters in profile.items():
        source = NOTEBOOKS / f"{name}.ipynb"
        if not source.is_file():
            raise SettingsError("the profile names a notebook that does not exist", file=path, field=str(name))
        if not isinstance(parameters, dict):
            raise SettingsError("a notebook needs a mapping", file=path, field=name, expected="{PARAMETER: value, …}")
        check_parameters(source, {parameter: [value] for parameter, value in parameters.items()}, file=path)
    return profile


def run_course(out: Path, *, profile: Path | None = None, only: list[str] | None = None) -> Summary:
    """Execute the notebooks headless; a failed one is reported and the others still run.

    Args:
        out: Folder for NN_name.ipynb (executed), NN_name.html, summary.json and index.html.
        profile: YAML file of parameters, see `read_profile`; the notebooks' own defaults if left out.
        only: Keep those whose names begin with one of these.

    Raises:
        SettingsError: If the profile or `only` names something that does not exist.
        RunError: If another process is at work in the folder.
        OutputError: If the system will not have the results written.
    """
    parameters = read_profile(profile) if profile else {}
    lessons = []
    chosen = notebooks(only)
    with exclusive_lock(out):
        for number, source in enumerate(chosen, start=1):
            print(f"[{number}/{len(chosen)}] {source.stem}", flush=True)
            lessons.append(execute(source, out / source.name, parameters.get(source.stem, {}), folder=source.parent))
        summary = Summary(out, tuple(lessons))
        write_json(out / "summary.json", {"lessons": [asdict(each) for each in lessons], "complete": summary.complete})
        write(out / "index.html", "course.html.j2", _content(summary))
    return summary


def _headline(lesson: Executed) -> str:
    if lesson.error:
        return lesson.error
    numbers = {name: value for name, value in lesson.recorded.items() if not isinstance(value, bool)}
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in numbers.items()
    )


def _content(summary: Summary) -> dict[str, Any]:
    rows = [
        {"name": each.name, "state": each.state, "minutes": each.minutes, "headline": _headline(each)}
        for each in summary.lessons
    ]
    return {"notices": notices(synthetic=False), "lessons": rows}
