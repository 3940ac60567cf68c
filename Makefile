# make demo   installs what is needed and walks the six notebooks on a drawn sample competition
# make test   installs what is needed and runs the tests
# make lint   installs what is needed and checks the style: ruff check, ruff format
# make lab    installs what is needed and opens the notebooks in JupyterLab
#
# An active virtual environment, or the conda environment `scenetext`, is used as it is; otherwise .venv is made.

PYTHON ?= $(shell for python in python3.11 python3.12 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info[:2] not in [(3, 11), (3, 12)])' 2>/dev/null \
	&& echo $$python && break; done)
ENV := $(or $(VIRTUAL_ENV),$(if $(filter scenetext,$(CONDA_DEFAULT_ENV)),$(CONDA_PREFIX)),.venv)
BIN := $(abspath $(ENV))/bin
STAMP := $(ENV)/.scenetext-installed
EXTRAS ?= cpu,dev
PIP = $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test lint lab install

demo: install
	$(BIN)/scenetext demo

# Two workers of one thread each. What a file's tests share is made once, by the worker that has the file.
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: install
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests

lab: install
	$(BIN)/jupyter lab notebooks

install: $(STAMP)

# Where the machine has no libGL, the build of OpenCV that needs no screen takes the other builds' place.
# The last step makes git store notebooks without their outputs.
$(STAMP): pyproject.toml .ci/constraints.txt
	@test -x $(BIN)/python || test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed and was not found."; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(ENV)
	$(PIP) install -q -c .ci/constraints.txt -e '.[$(EXTRAS)]'
	@$(BIN)/python -c 'import cv2' 2>/dev/null || \
		$(PIP) install -q -c .ci/constraints.txt --no-deps --force-reinstall opencv-python-headless
	@$(BIN)/python -W ignore -c 'import cv2, paddle, scenetext'
	@test ! -e .git || git config filter.scenetext-notebook.clean '"$(BIN)/python" -m scenetext.workflow.notebook_cleaner'
	@touch $(STAMP)
