"""Read the judgements of a quality control: which images passed, so that only these are exported or trained on.

There are two files, both saved by the page of ``python -m lumbar report``:

- CSV with the columns image (as in the table of ``predict``), quality (pass, fail, unsure, or empty where nobody has
  judged) and note;
- the ``qc_fail.yml`` of the Spinal Cord Toolbox's own report, which names the images whose labels failed, under
  ``FILES_LABEL``. The toolbox's scripts for manual correction read it.

Source: ``spinalcordtoolbox/reports/assets/index.html``, 7.4.dev0 of August 2026.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lumbar.core.errors import TableError
from lumbar.datasets.dataset import read_csv

PASS, FAIL, UNSURE = "pass", "fail", "unsure"
"""What a person judges."""

KEY = "FILES_LABEL"
"""Key of the images whose labels failed."""

_COLUMNS = ("image", "quality", "note")
_YAML = (".yml", ".yaml")


@dataclass(frozen=True)
class Quality:
    """The judgements in a file.

    Args:
        file: The file.
        judged: Image, as the file names it → `PASS`, `FAIL`, `UNSURE` or "".
        failures_only: Whether the file names no other images than those that failed.
    """

    file: Path
    judged: dict[str, str]
    failures_only: bool

    def passing(self, images: Sequence[Path]) -> list[Path]:
        """Return the images that passed, or, from a file that names failures only, those that did not fail.

        Paths in the file are relative to the working folder, as those in the table of ``predict``. In a file of
        failures a name without a folder stands for each file of that name, as in the toolbox.

        Args:
            images: Image files.
        """
        wanted = "" if self.failures_only else PASS
        return [image for image in images if self._of(image) == wanted]

    def failing(self, images: Sequence[Path]) -> list[Path]:
        """Return the images that failed or of which somebody was unsure.

        Args:
            images: Image files, see `passing`.
        """
        return [image for image in images if self._of(image) in (FAIL, UNSURE)]

    def _of(self, image: Path) -> str:
        if self.failures_only and image.name in self.judged:  # a name without a folder
            return FAIL
        return self._by_path.get(image.resolve(), "")

    @cached_property
    def _by_path(self) -> dict[Path, str]:
        return {Path(image).resolve(): quality for image, quality in self.judged.items()}


def read(file: Path) -> Quality:
    """Read judgements.

    Args:
        file: CSV, or YAML (.yml, .yaml).

    Raises:
        DatasetError: If a CSV file is not a table or lacks a column.
        TableError: If the file holds something else than judgements, or contradicts itself.
    """
    if file.suffix.lower() in _YAML:
        return Quality(file, dict.fromkeys(_failures(file), FAIL), failures_only=True)
    table = read_csv(file, text=_COLUMNS, numbers=())
    table["quality"] = table["quality"].fillna("").str.lower()
    unknown = table.loc[~table["quality"].isin([PASS, FAIL, UNSURE, ""])]
    if len(unknown):
        raise TableError(
            "this is not a judgement",
            file=file,
            field="quality",
            found=f"{unknown['quality'].iloc[0]} ({unknown['image'].iloc[0]})",
            expected=f"{PASS}, {FAIL}, {UNSURE} or nothing",
        )
    several = table.groupby("image")["quality"].nunique()
    if (several > 1).any():
        raise TableError(
            "an image has two judgements", file=file, found=several.idxmax(), remedy="keep one row per image"
        )
    return Quality(file, dict(zip(table["image"], table["quality"], strict=True)), failures_only=False)


def _failures(file: Path) -> list[str]:
    import yaml  # every prediction starts by importing this module, and hardly any reads such a file

    try:
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8-sig")) or {KEY: []}
        images = content[KEY] or []
        if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
            raise ValueError(f"{KEY} is not a list of files")
        return images
    except OSError as error:
        raise TableError("the file cannot be opened", file=file, found=error.strerror or str(error)) from error
    except (yaml.YAMLError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TableError(
            "this is not a list of images that failed",
            file=file,
            found=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            expected=f"{KEY}: and the files, as the report page or the Spinal Cord Toolbox saves them",
        ) from error
