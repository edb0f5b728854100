"""The errors that the package raises. Each one says what was wrong, where, and what to do."""

from __future__ import annotations

from pathlib import Path


class LumbarError(Exception):
    """Base class of every error that this package raises on purpose.

    Args:
        problem: What was wrong, in one plain sentence without a full stop.
        file: The file or folder with the problem, if any.
        field: The column, DICOM attribute or setting concerned, if any.
        found: The value that was found.
        expected: The value that was expected.
        remedy: What the user can do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        field: str | None = None,
        found: object = None,
        expected: object = None,
        remedy: str | None = None,
    ):
        super().__init__(problem)
        self.problem = problem
        self.file = None if file is None else str(file)
        self.field = field
        self.found = found
        self.expected = expected
        self.remedy = remedy

    def __str__(self) -> str:
        details = [("file", self.file), ("field", self.field), ("found", self.found), ("expected", self.expected)]
        lines = [self.problem] + [f"  {name}: {value}" for name, value in details if value is not None]
        if self.remedy:
            lines.append(f"  what to do: {self.remedy}")
        return "\n".join(lines)

    def __reduce__(self):
        # Worker processes send errors back pickled; the default would lose the keyword arguments.
        return _rebuild, (type(self), self.problem, self.file, self.field, self.found, self.expected, self.remedy)


def _rebuild(kind, problem, file, field, found, expected, remedy):
    return kind(problem, file=file, field=field, found=found, expected=expected, remedy=remedy)


class ScanError(LumbarError):
    """An image or DICOM file cannot be read, or not without guessing."""


class StudyError(LumbarError):
    """The series of a study do not belong together, or a series that is needed is missing."""


class TableError(LumbarError):
    """A landmark table does not follow the schema."""


class DatasetError(LumbarError):
    """A folder is not a data set in a known layout, or part of it is missing."""


class FetchError(LumbarError):
    """A data set cannot be downloaded, or the downloaded files cannot be trusted."""


class ClusterError(LumbarError):
    """A Dask cluster cannot be reached, or cannot do the work."""


class SettingsError(LumbarError):
    """A setting has an invalid value."""


class RunError(LumbarError):
    """A run folder is missing, unfinished, or was made with other settings."""


class WeightsError(RunError):
    """The file of a network is damaged, was not written by this package, or would execute code when loaded."""


class OutputError(LumbarError):
    """A result cannot be written."""
