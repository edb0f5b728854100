"""Hold the course: execute the notebooks one after another and leave them, a page of each, and a summary."""

from __future__ import annotations

import html
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lumbar import places
from lumbar.errors import SettingsError
from lumbar.files import held, replacing, write_json
from lumbar.notebook import Executed, check_parameters, execute, read_mapping

NOTEBOOKS = places.REPOSITORY / "notebooks"


@dataclass(frozen=True)
class Summary:
    """What `hold` did, in the order it was done."""

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


def hold(out: Path, *, profile: Path | None = None, only: list[str] | None = None) -> Summary:
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
    with held(out):
        for number, source in enumerate(chosen, start=1):
            print(f"[{number}/{len(chosen)}] {source.stem}", flush=True)
            lessons.append(execute(source, out / source.name, parameters.get(source.stem, {}), folder=source.parent))
        summary = Summary(out, tuple(lessons))
        told = {"lessons": [asdict(lesson) for lesson in lessons], "complete": summary.complete}
        write_json(out / "summary.json", told)
        with replacing(out / "index.html") as page:
            page.write_text(_page(summary), encoding="utf-8")
    return summary


def _headline(lesson: Executed) -> str:
    if lesson.error:
        return lesson.error
    numbers = {name: value for name, value in lesson.recorded.items() if not isinstance(value, bool)}
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in numbers.items()
    )


def _page(summary: Summary) -> str:
    rows = "\n".join(
        f'<tr><td><a href="{lesson.name}.html">{lesson.name}</a></td><td>{lesson.state}</td>'
        f"<td>{lesson.minutes:.1f}</td><td>{html.escape(_headline(lesson))}</td></tr>"
        for lesson in summary.lessons
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>The lumbar course</title>
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; text-align: left; vertical-align: top }}
td, th {{ padding: .3rem .8rem; border-bottom: 1px solid #ccc }}
</style></head><body>
<h1>The lumbar course</h1>
<p>{len(summary.lessons)} notebooks, {sum(lesson.minutes for lesson in summary.lessons):.1f} minutes. All results
are of networks trained on synthetic patients unless a notebook says otherwise.</p>
<table><tr><th>Notebook</th><th>State</th><th>Minutes</th><th>Recorded</th></tr>
{rows}
</table></body></html>
"""
