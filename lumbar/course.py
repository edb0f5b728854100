"""Hold the course: execute the notebooks one after another and leave them, a page of each, and a summary."""

from __future__ import annotations

import html
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lumbar import places
from lumbar.errors import SettingsError
from lumbar.files import write_json

NOTEBOOKS = places.REPOSITORY / "notebooks"

CELL_TIMEOUT_SECONDS = 3600
"""A cell that takes longer hangs; the documented 50-epoch training stays well below."""

DESCRIBED = """{% extends 'lab/index.html.j2' %}
{%- block data_png scoped -%}
{%- set text = output | get_metadata('alt', 'image/png') -%}
{{ super() | replace('<img ', '<img alt="' ~ (text | escape_html) ~ '" ') if text else super() }}
{%- endblock data_png -%}
"""
"""nbconvert's usual page, whose template for pictures overlooks the text alternative in a figure's metadata."""


@dataclass(frozen=True)
class Lesson:
    """One executed notebook: its name, whether it ran through, minutes, recorded values, and the error if not."""

    name: str
    complete: bool
    minutes: float
    recorded: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def state(self) -> str:
        """One word for a table."""
        return "done" if self.complete else "FAILED"


@dataclass(frozen=True)
class Summary:
    """What `hold` did, in the order it was done."""

    out: Path
    lessons: tuple[Lesson, ...]

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


def read_profile(path: Path) -> dict[str, dict[str, Any]]:
    """Parameters for each notebook from a YAML file ``notebook name: {PARAMETER: value}``.

    papermill only warns of a parameter that no notebook reads; here it is an error.

    Raises:
        SettingsError: If a notebook or one of its parameters does not exist.
    """
    import papermill
    import yaml

    if not path.is_file():
        offered = ", ".join(str(profile) for profile in sorted((NOTEBOOKS / "profiles").glob("*.yaml")))
        raise SettingsError("no such profile", file=path, expected=offered)
    profile = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    for name, parameters in profile.items():
        source = NOTEBOOKS / f"{name}.ipynb"
        if not source.is_file():
            raise SettingsError("the profile names a notebook that does not exist", file=path, field=name)
        unknown = sorted(set(parameters) - set(papermill.inspect_notebook(str(source))))
        if unknown:
            raise SettingsError(
                f"{name} has no such parameter", file=path, field=unknown[0], remedy="see its cell tagged `parameters`"
            )
    return profile


def hold(out: Path, *, profile: Path | None = None, only: list[str] | None = None) -> Summary:
    """Execute the notebooks headless; a failed one is reported and the others still run.

    Args:
        out: Folder for NN_name.ipynb (executed), NN_name.html, summary.json and index.html.
        profile: YAML file of parameters, see `read_profile`; the notebooks' own defaults if left out.
        only: Keep those whose names begin with one of these.

    Raises:
        SettingsError: If the profile or `only` names something that does not exist.
    """
    parameters = read_profile(profile) if profile else {}
    out.mkdir(parents=True, exist_ok=True)
    lessons = []
    chosen = notebooks(only)
    for number, source in enumerate(chosen, start=1):
        print(f"[{number}/{len(chosen)}] {source.stem}", flush=True)
        lessons.append(_execute(source, out, parameters.get(source.stem, {})))
    summary = Summary(out, tuple(lessons))
    write_json(out / "summary.json", {"lessons": [asdict(lesson) for lesson in lessons], "complete": summary.complete})
    (out / "index.html").write_text(_page(summary), encoding="utf-8")
    return summary


def _execute(source: Path, out: Path, parameters: dict[str, Any]) -> Lesson:
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from lumbar.lesson import recorded

    target, unfinished = out / source.name, out / f".{source.stem}.unfinished.ipynb"
    begin, error = time.perf_counter(), ""
    try:
        papermill.execute_notebook(
            str(source),
            str(unfinished),
            parameters=parameters,
            kernel_name="python3",
            cwd=str(source.parent),
            execution_timeout=CELL_TIMEOUT_SECONDS,
        )
    except papermill.PapermillExecutionError as failure:
        error = f"cell {failure.exec_count}: {failure.ename}: {failure.evalue}"
    except (CellTimeoutError, DeadKernelError) as failure:
        error = f"{type(failure).__name__}: {str(failure).strip().splitlines()[0]}"
    minutes = (time.perf_counter() - begin) / 60
    unfinished.replace(target)
    executed = nbformat.read(target, as_version=4)
    target.with_suffix(".html").write_text(as_page(executed, source.stem), encoding="utf-8")
    return Lesson(source.stem, not error, round(minutes, 2), recorded(executed), error)


def as_page(notebook: Any, title: str) -> str:
    """An executed notebook as one HTML page; its figures carry their text alternatives."""
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(extra_loaders=[DictLoader({"described.html.j2": DESCRIBED})])
    exporter.template_file = "described.html.j2"
    return exporter.from_notebook_node(notebook, {"metadata": {"name": title}})[0]


def _headline(lesson: Lesson) -> str:
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
