"""The errors a reader or a command may raise: each says what was wrong, where, and what to do."""

from __future__ import annotations

from pathlib import Path


class LumbarError(Exception):
    """Base of every error that this package raises on purpose.

    Args:
        problem: What was wrong, in one plain sentence.
        file: The file or folder it was found in, if any.
        field: The column, DICOM attribute or setting concerned, if any.
        found: What stood there.
        expected: What should have stood there.
        remedy: What the reader of the message can do about it.
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
        # Worker processes send errors home pickled; the default would lose the keyword arguments.
        return _rebuild, (type(self), self.problem, self.file, self.field, self.found, self.expected, self.remedy)


def _rebuild(kind, problem, file, field, found, expected, remedy):
    return kind(problem, file=file, field=field, found=found, expected=expected, remedy=remedy)


class ScanError(LumbarError):
    """A picture or DICOM file cannot be read, or cannot be read without guessing."""


class StudyError(LumbarError):
    """The series of a study do not belong together, or the one that is needed is missing."""


class TableError(LumbarError):
    """A landmark table breaks the schema."""


class DatasetError(LumbarError):
    """A folder is not a data set we can read, or lacks something it should hold."""


class FetchError(LumbarError):
    """A data set cannot be downloaded, or what was downloaded is not to be trusted."""


class ClusterError(LumbarError):
    """A Dask cluster cannot be reached, or cannot do the work."""


class SettingsError(LumbarError):
    """A setting has a value that cannot be used."""


class RunError(LumbarError):
    """A run folder is missing, unfinished, or belongs to other settings."""


class WeightsError(RunError):
    """A network's file is damaged, none of ours, or would run code of its own."""


class OutputError(LumbarError):
    """A result cannot be written."""
