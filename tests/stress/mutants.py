"""Break the lessons, and see that their own claims notice: ``python -m tests.stress.mutants``.

Each mutant changes one place of a notebook so that it teaches something false. The notebook is executed as it is
committed, in a home folder of its own, and its outputs are held against ``tests/course/notebook_claims.yaml``. A mutant
is caught if a cell fails or a claim does. The command prints a line a mutant; its exit code is 1 if one gets through.
It takes two to five minutes a mutant on two cores.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from lumbar.core.constants import HEADLESS
from lumbar.course import runner
from tests.course.test_notebooks import broken_claims

SHUFFLED_LABELS = """
from dataclasses import replace
from lumbar.batches import Batches
honest = Batches.__init__
def shuffled(self, part, *given, augment=None, **options):
    if augment is not None:  # the pictures that are trained on
        part = replace(part, points=np.random.default_rng(0).permutation(part.points))
    honest(self, part, *given, augment=augment, **options)
Batches.__init__ = shuffled
run = training.train("""


class Mutant(NamedTuple):
    """A change of one place in a notebook.

    Args:
        name: What it does.
        notebook: The beginning of the notebook's name.
        old: Code that occurs in one cell.
        new: What stands there instead.
    """

    name: str
    notebook: str
    old: str
    new: str


MUTANTS = (
    Mutant("swaps x and y in a figure's points", "02", "(squares, points,", "(squares, np.array(points)[..., ::-1],"),
    Mutant("trains on shuffled labels", "05", "run = training.train(", SHUFFLED_LABELS.strip()),
    Mutant(
        "answers the mean of all patients",
        "05",
        'predicted = inference.predict_points(run / "best.keras", test, progress=False)',
        "predicted = np.repeat(np.nanmean(parts['train'].points, axis=0)[None], len(test.images), axis=0)",
    ),
    Mutant(
        "takes the worst trial for the best",
        "06",
        "leaderboard(paths.runs() / SEARCH)",
        "leaderboard(paths.runs() / SEARCH)[::-1]",
    ),
    Mutant(
        "skips fine-tuning",
        "07",
        "tuned = training.train(replace(elsewhere, weights=str(run), learning_rate=0.001), progress=False)",
        "tuned = run",
    ),
    Mutant(
        "measures on the patients trained on",
        "07",
        "unknown = replace(made, patients=STRANGERS, seed=SEED + 2)",
        "unknown = made",
    ),
    Mutant("skips retraining", "13", 'retrained = retrain(corrected / "points.csv")', "retrained = network.file"),
    Mutant("borrows nothing", "08", '"borrowed": str(lender)', '"borrowed": None'),
)


def mutated(mutant: Mutant) -> nbformat.NotebookNode:
    """Return the changed notebook.

    Raises:
        ValueError: If the place to change is not in exactly one cell.
    """
    (source,) = runner.notebooks([mutant.notebook])
    notebook = nbformat.read(source, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and mutant.old in cell.source]
    if len(cells) != 1:
        raise ValueError(f"{mutant.name}: the place to change is in {len(cells)} cells")
    cells[0].source = cells[0].source.replace(mutant.old, mutant.new)
    return notebook


def caught_by(mutant: Mutant) -> str:
    """Execute a mutant, and return what caught it; empty if nothing did."""
    (source,) = runner.notebooks([mutant.notebook])
    notebook = mutated(mutant)
    with tempfile.TemporaryDirectory() as home:
        client = NotebookClient(
            notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(source.parent)}}
        )
        try:
            client.execute(env=os.environ | {"LUMBAR_HOME": home, HEADLESS: "1"})
        except CellExecutionError as error:
            return f"a cell fails: {error.ename}"
    return "; ".join(broken_claims(source.stem, notebook))


def main() -> int:
    """Execute all mutants."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.mutants", description=main.__doc__)
    parser.add_argument("--only", metavar="WORDS", default="", help="those whose name contains these words")
    arguments = parser.parse_args()
    lost = 0
    for mutant in MUTANTS:
        if arguments.only in mutant.name:
            found = caught_by(mutant)
            lost += not found
            print(f"{mutant.notebook}  {mutant.name}: {'caught by ' + found if found else 'NOT CAUGHT'}", flush=True)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
