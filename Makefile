# make demo   installs what is needed and walks the six notebooks on a drawn sample competition
# make course installs what is needed and writes the demo's executed notebooks as HTML pages to course/
# make test   installs what is needed and runs the tests
# make lint   installs what is needed and checks the style: ruff check, ruff format
# make lab    installs what is needed and opens the notebooks in JupyterLab
# make cpp    builds build/cpp/scenetext-predict, which needs no Python; src/cpp/README.md says what to install before
# make install PYTHON=/usr/bin/python3 ENV=DIR   only installs, with this Python, into this folder
# make audit  checks the locked packages: hashes, licences, known vulnerabilities (by pip-audit, which needs the network)
# make lock   writes .ci/lock.txt, the versions that are installed, with uv
#
# An active virtual environment, or the conda environment `scenetext`, is used as it is; otherwise .venv is made.

PYTHON ?= $(or $(shell for python in python3.11 python3.12 python3.13 python3.10 python3 python; do \
	$$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$python && break; done),$(shell command -v python3))
ENV ?= $(or $(VIRTUAL_ENV),$(if $(filter scenetext,$(CONDA_DEFAULT_ENV)),$(CONDA_PREFIX)),.venv)
BIN := $(abspath $(ENV))/bin
STAMP := $(ENV)/.scenetext-installed
EXTRAS ?= cpu
UV ?= uv
CPP_ENGINE ?= openvino
OPENVINO := build/openvino

.PHONY: demo course test lint lab cpp audit install lock

demo: install
	$(BIN)/scenetext demo

# The demo runs first if it has not been run.
course: install
	test -f runs/demo/notebooks/06_submit.ipynb || $(BIN)/scenetext demo
	$(BIN)/scenetext course

# Two workers of one thread each. What a file's tests share is made once, by the worker that has the file.
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(if $(ALL),-m 'long or not long')

lint: install
	$(BIN)/ruff check src tests setup.py .ci
	$(BIN)/ruff format --check src tests setup.py .ci

lab: install
	$(BIN)/jupyter lab notebooks

# Needs no environment of the project: any Python with pip fetches OpenVINO.
cpp: $(if $(filter openvino,$(CPP_ENGINE)),$(OPENVINO)/.fetched)
	cmake -S src/cpp -B build/cpp -DSCENETEXT_ENGINE=$(CPP_ENGINE) -DOpenVINO_DIR=$(abspath $(OPENVINO))/openvino/cmake
	cmake --build build/cpp --parallel $$(nproc)

$(OPENVINO)/.fetched: src/cpp/openvino.txt
	@test -n "$(PYTHON)" || { echo "make cpp: no Python was found: name one that has pip by PYTHON=/path/to/python3."; \
	exit 2; }
	@rm -rf $(OPENVINO)
	$(PYTHON) -m pip install -q --disable-pip-version-check --no-deps --target $(OPENVINO) -r $<
	@touch $@

audit: install
	$(BIN)/python .ci/audit.py

install: $(STAMP)

# An environment that is there is used with its own Python. The last step makes git store notebooks without outputs.
$(STAMP): pyproject.toml setup.py .ci/lock.txt .ci/install.py
	@test -x $(BIN)/python || test -n "$(PYTHON)" || { echo "make install: no Python was found, but scenetext needs \
	Python 3.10 to 3.13: name one by PYTHON=/path/to/python3.11."; exit 2; }
	@$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) .ci/install.py --env '$(ENV)' --extras '$(EXTRAS)'
	@test ! -e .git || git config filter.scenetext-notebook.clean '"$(BIN)/python" -m scenetext.workflow.notebook_cleaner'
	@touch $(STAMP)

# Writes the newest versions that fit pyproject.toml's ranges, for Python 3.10 to 3.13 at once; versions in the present
# lock stay if they fit. `make lock UV="uv --offline"` and `rm .ci/lock.txt` before it are possible, too.
lock:
	@command -v $(firstword $(UV)) > /dev/null || { echo "make lock: uv is needed: pip install uv."; exit 2; }
	$(UV) pip compile -q --universal --python-version 3.10 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --extra dev pyproject.toml -o .ci/lock.txt
