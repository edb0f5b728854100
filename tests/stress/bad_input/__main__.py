"""``python -m tests.stress.bad_input [WORD …]``: run the command on every case, or on those whose names contain a word.

The output is a Markdown table of case, outcome, message and exit code, followed by the counts. The exit code is 1 if a
case has another outcome than expected.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import warnings
from collections import Counter
from pathlib import Path

from tests.stress.bad_input import AbsentError, Case, every_case


def message(case: Case, printed: str) -> str:
    """Return the first printed line that matches the case."""
    match = re.search(case.says, printed)
    start = printed.rfind("\n", 0, match.start()) + 1
    return printed[start:].split("\n", 1)[0].strip().removeprefix("left out: ").replace("|", "\\|")


def row(case: Case) -> tuple[bool, str, str, str]:
    """Run a case and return (as expected, outcome, message, exit code)."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        try:
            code, printed = case.run(case.build(folder), folder)
        except AbsentError as error:
            return True, "not tried", str(error), ""
        if code != case.code or not re.search(case.says, printed):
            return False, "NOT AS EXPECTED", printed.strip().replace("\n", " ")[-200:], str(code)
        if case.facts:
            case.facts(folder)
        return (
            True,
            case.outcome,
            message(case, printed).replace(f"{folder}/", "").replace(str(folder), "FOLDER"),
            str(code),
        )


def main() -> int:
    """Run the cases and print the table."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(prog="python -m tests.stress.bad_input", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="only cases whose names contain one of these words")
    words = parser.parse_args().words
    cases = [case for case in every_case() if not words or any(word in str(case) for word in words)]
    counts, all_expected = Counter(), True
    print("| what is bad | outcome | message | exit code |\n| --- | --- | --- | --- |")
    for case in cases:
        expected, outcome, printed, code = row(case)
        all_expected &= expected
        counts[outcome] += 1
        print(f"| {case} | {outcome} | {printed} | {code} |", flush=True)
    print(f"\n{len(cases)} cases: {', '.join(f'{count} {outcome}' for outcome, count in counts.items())}")
    return 0 if all_expected else 1


if __name__ == "__main__":
    raise SystemExit(main())
