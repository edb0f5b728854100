# From an empty checkout to an executed course or a full test run. It needs Python (3.11–3.13), pip, make and git.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python
# A test spends most of its time on one core, so the tests are distributed over the cores.
PYTEST = $(RUN) -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help course test test-fast lab lint format lock notebooks weights page site clean

help:  ## list what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

course: $(VENV)/installed  ## execute the notebooks and write runs/course/index.html
	$(RUN) -m lumbar course

test: $(VENV)/installed  ## run every test, notebooks included
	$(PYTEST)

test-fast: $(VENV)/installed  ## run the tests that take seconds
	$(PYTEST) -m "not slow"

lab: $(VENV)/installed  ## open JupyterLab on the notebooks
	$(RUN) -m jupyterlab notebooks

lint: $(VENV)/installed  ## check code and notebooks with ruff, and that imports go one way
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/lint-imports

format: $(VENV)/installed  ## format code and notebooks with ruff
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

notebooks: $(VENV)/installed  ## execute the notebooks in place, as they are committed
	LUMBAR_HEADLESS=1 $(RUN) -m nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False notebooks/*.ipynb

PLANES = --model heatmap --activation gelu --views sagittal coronal axial
MAKE_PATIENTS = $(RUN) -m lumbar phantom
SAGITTAL = --series sagittal-t1 sagittal-t2
RANDOM = --random-contrast 0.35
CUT = $(RANDOM) --neighbours --field-of-view 0.5
ANYWHERE = $(PLANES) --absent --field-of-view 0.6 --learning-rate 0.002
ON_PHANTOMS = $(ANYWHERE) --data data/any-planes-300 --contrast-remap 0.2
ON_PATIENTS = $(ANYWHERE) --data $(REAL) --extra data/any-mix-planes-8 data/any-mix-necks-115 --weights phantom --epochs 30 --contrast-remap 0.3

weights: $(VENV)/installed  ## train the released networks again (three hours); REAL=folder of labelled real images
	@test -n "$(REAL)" || { echo "Give the folder of the labelled real images: make weights REAL=data/FOLDER"; exit 1; }
	$(MAKE_PATIENTS) data/phantom-sagittal-3600 --patients 3600 --seed 11 $(SAGITTAL) $(RANDOM)
	$(MAKE_PATIENTS) data/phantom-planes-450 --patients 450 --seed 12 $(RANDOM)
	$(MAKE_PATIENTS) data/any-sagittal-1500 --patients 1500 --seed 21 $(SAGITTAL) $(CUT)
	$(MAKE_PATIENTS) data/any-planes-300 --patients 300 --seed 22 $(CUT)
	$(MAKE_PATIENTS) data/any-worn-sagittal-1500 --patients 1500 --seed 31 $(SAGITTAL) $(CUT) --worn 0.35
	$(MAKE_PATIENTS) data/any-mix-planes-8 --patients 8 --seed 24 $(CUT)
	$(MAKE_PATIENTS) data/any-wide-sagittal-1500 --patients 1500 --seed 51 $(SAGITTAL) $(CUT) --worn 0.35
	$(MAKE_PATIENTS) data/any-necks-sagittal-1650 --patients 1650 --seed 52 $(SAGITTAL) $(CUT) --worn 0.35 --necks 0.09
	$(MAKE_PATIENTS) data/any-mix-necks-115 --patients 115 --seed 36 $(SAGITTAL) $(CUT) --worn 0.35 --necks 0.13
	$(RUN) train.py $(PLANES) --data data/phantom-planes-450 --extra data/phantom-sagittal-3600 --epochs 16 --contrast-remap 0.2 --name weights-usual
	$(RUN) train.py $(ON_PHANTOMS) --extra data/any-sagittal-1500 --weights weights-usual --epochs 12 --name weights-any
	$(RUN) train.py $(ON_PHANTOMS) --extra data/any-worn-sagittal-1500 --weights weights-any --epochs 9 --name weights-worn
	$(RUN) train.py $(ON_PHANTOMS) --extra data/any-wide-sagittal-1500 --weights weights-worn --epochs 9 --name weights-wide
	$(RUN) train.py $(ON_PHANTOMS) --extra data/any-necks-sagittal-1650 --weights weights-wide --epochs 10 --name weights-phantom
	$(RUN) evaluate.py --run weights-phantom
	$(RUN) -m lumbar.weights phantom weights-phantom
	$(RUN) -m lumbar crossvalidate $(ON_PATIENTS) --folds 5 --seeds 3 --last --also phantom --title phantom+mr --name weights-crossvalidation --publish lumbar/course/measured/crossvalidation.csv
	$(RUN) -m lumbar.weights phantom weights-phantom --confidence weights-crossvalidation --row phantom
	$(RUN) train.py $(ON_PATIENTS) --folds 100 --name weights-mr
	$(RUN) -m lumbar.weights phantom+mr weights-mr --last --confidence weights-crossvalidation --row phantom+mr

page: $(VENV)/installed  ## build the page that answers in the browser: build/page.html; it needs npm
	$(RUN) -m lumbar page --out build/page.html

site: $(VENV)/installed  ## build the site of lessons and pages: build/site/index.html; PAGE=an HTML file to try it in the browser
	$(RUN) -m docs.site $(if $(PAGE),--page $(PAGE))

lock: $(VENV)/installed  ## renew the pins in requirements.txt from pyproject.toml (environment.yml installs them)
	$(RUN) -m pip install --quiet uv
	$(RUN) -m uv pip compile --quiet --universal --upgrade --python-version 3.11 --extra test --no-header --no-annotate pyproject.toml --output-file requirements.txt

$(VENV)/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "Installing the requirements into $(VENV) (about 3 GB on disk; a few minutes the first time)"
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --disable-pip-version-check --requirement requirements.txt
	$(RUN) -m pip install --disable-pip-version-check --no-deps --editable .
	@touch $@

clean:  ## remove the environment
	rm -rf $(VENV)
