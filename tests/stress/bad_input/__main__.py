"""``python -m tests.stress.bad_input [WORD …]``: run the command on every case, or those whose names hold a word.

Printed is a Markdown table of case, what happens, and exit code; then the counts. The exit code is 1 if a case behaves
otherwise than it should.
"""

from __future__ import annotations

import re
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

from tests.stress.bad_input import AbsentError, Case, every_case


def told(case: Case, printed: str) -> str:
    """The line that says it, or the first one of those."""
    match = re.search(case.says, printed)
    start = printed.rfind("\n", 0, match.start()) + 1
    return printed[start:].split("\n", 1)[0].strip().removeprefix("left out: ").replace("|", "\\|")


def row(case: Case) -> tuple[bool, str, str, str]:
    """(as it should be, outcome, what was printed, exit code)."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        try:
            code, printed = case.run(case.build(folder), folder)
        except AbsentError as error:
            return True, "not tried", str(error), ""
        if code != case.code or not re.search(case.says, printed):
            return False, "NOT AS IT SHOULD BE", printed.strip().replace("\n", " ")[-200:], str(code)
        if case.facts:
            case.facts(folder)
        return (
            True,
            case.outcome,
            told(case, printed).replace(f"{folder}/", "").replace(str(folder), "FOLDER"),
            str(code),
        )


def main() -> int:
    """Print the table."""
    warnings.simplefilter("ignore")
    words = sys.argv[1:]
    cases = [case for case in every_case() if not words or any(word in str(case) for word in words)]
    counts, right = Counter(), True
    print("| what is bad | outcome | what is said | exit code |\n| --- | --- | --- | --- |")
    for case in cases:
        well, outcome, said, code = row(case)
        right &= well
        counts[outcome] += 1
        print(f"| {case} | {outcome} | {said} | {code} |", flush=True)
    print(f"\n{len(cases)} cases: {', '.join(f'{count} {outcome}' for outcome, count in counts.items())}")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
