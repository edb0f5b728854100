#!/usr/bin/env bash
# papermill: a parameter that is NaN or infinite runs, and leaves a notebook that strict readers refuse.
#
# The parameters are stored in the notebook's metadata as Python's json module writes them: NaN, Infinity. JSON has no such
# numbers (RFC 8259, section 6), so JavaScript's JSON.parse, hence JupyterLab, cannot open the executed notebook. A
# YAML file of parameters brings them in easily: .nan and .inf are valid YAML.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check papermill==2.7.0 ipykernel==7.1.0 nbformat==5.10.4 2>/dev/null
cd "$work"
env/bin/python -W ignore - <<'PY'
import json
import pathlib

import nbformat
import papermill

print("papermill", papermill.__version__, "nbformat", nbformat.__version__)
cell = nbformat.v4.new_code_cell("LIMIT = 1.0", metadata={"tags": ["parameters"]})
kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel}), "before.ipynb")
papermill.execute_notebook("before.ipynb", "after.ipynb", {"LIMIT": float("nan")}, kernel_name="python3", progress_bar=False)
text = pathlib.Path("after.ipynb").read_text()
(line,) = {line.strip() for line in text.splitlines() if "NaN" in line}
print(f"executed without an error; the notebook holds the line: {line}")


def refuse(constant):
    raise ValueError(f"{constant} is not JSON")


try:
    json.loads(text, parse_constant=refuse)
except ValueError as error:
    print(f"a strict JSON reader: {error}")
else:
    raise SystemExit("the behaviour has changed")
PY
