import json
import subprocess
import sys

import pytest

from benchmarks.speed.figure import Figure, Goal
from benchmarks.speed.side import REPOSITORY, Side, Unmeasured, in_turns, once


def test_a_ratio_says_how_many_times_better():
    faster = Figure("rate", values=(40.0, 60.0, 50.0), beside="other", others=(20.0, 20.0, 20.0))
    sooner = Figure("time", values=(2.0,), beside="other", others=(10.0,), more_is_better=False)
    assert (faster.ratios, sooner.ratios) == ([2.0, 3.0, 2.5], [5.0])
    assert faster.cells()["ratio [least, most]"] == "2.50× [2.00, 3.00]"


@pytest.mark.parametrize(
    ("goal", "values", "others", "bound", "verdict"),
    [
        (Goal(150), (300.0,), (), "", "yes, 2.00× the goal"),
        (Goal(150), (75.0,), (), "", "no, 0.50× the goal"),
        (Goal(most=5), (2.5,), (), "", "yes, 2.00× the goal"),
        (Goal(20, of="ratio"), (300.0,), (100.0,), "", "no, 0.15× the goal"),
        (Goal(20, of="ratio"), (25.0,), (100.0,), "≥", "not seen: measured up to 4.0×"),
        (Goal(20, of="ratio"), (25.0,), (600.0,), "≥", "yes, 1.20× the goal"),
        (Goal(20, of="ratio"), (), (), "", ""),
    ],
)
def test_a_goal_is_judged_and_what_was_cut_off_is_not_called_missed(goal, values, others, bound, verdict):
    sooner = bool(bound)
    assert (
        Figure("x", values=values, others=others, goal=goal, bound=bound, more_is_better=not sooner).verdict == verdict
    )


def test_a_side_that_cannot_be_measured_says_why_and_the_others_go_on():
    with pytest.raises(Unmeasured, match="no attribute"):
        once("starting:nothing_of_that_name")
    sides = [Side("broken", "phantoms:rendering", count="x"), Side("sound", "phantoms:rendering", count=1)]
    found, missing = in_turns(sides, 2)
    assert (list(found), len(found["sound"])) == (["sound"], 2)
    assert min(found["sound"]) > 0
    assert list(missing) == ["broken"]


@pytest.mark.slow
def test_the_command_measures_rows_and_keeps_those_it_does_not_measure(tmp_path):
    (tmp_path / "speed.md").write_text("# Before\n\nPlain words.\n", encoding="utf-8")
    for rows in (["phantoms", "preparing", "waiting", "memory"], ["starting"]):
        command = [sys.executable, "-m", "benchmarks.speed", "--quick", "--out", str(tmp_path), "--only", *rows]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))
    assert list(found) == ["starting", "waiting", "phantoms", "preparing", "memory"]
    assert all(row["machine"]["cores"] and row["machine"]["versions"]["keras"] for row in found.values())
    for row in ("waiting", "starting", "memory"):
        assert all(figure["values"] for figure in found[row]["figures"]), row
    assert all("imports none of" in figure["note"] for figure in found["starting"]["figures"])
    text = (tmp_path / "speed.md").read_text(encoding="utf-8")
    assert text.startswith("# Before\n\nPlain words.\n")
    assert text.count("share of time waiting for batches") == 1
