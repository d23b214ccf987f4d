# The commands of the README. `make` alone shows them.

# TensorFlow has no build for other versions yet.
SUITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
FOUND := $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c '$(SUITS)' 2>/dev/null && echo $$p && break; done)
PYTHON ?= $(FOUND)
BIN := .venv/bin
# Tests start in a third of the time where Python may keep what it has compiled.
unexport PYTHONDONTWRITEBYTECODE
READY := .venv/ready
# TensorFlow for the processor alone is half as much to download. It is there for Linux on x86-64.
CPU_ONLY := $(shell test "$$(uname -sm)" = "Linux x86_64" && ! command -v nvidia-smi >/dev/null && echo yes)
LOCK := $(if $(CPU_ONLY),.venv/cpu.lock,requirements.lock)

.PHONY: help run run-full unit check format test test-full test-portable test-lowest test-pythons lab lab-stored editions \
	book print slides figures bands bench transfer race summit weights wheels doctor tools lock clean

help:
	@echo "make run          run the series with quick settings, show results and pictures"
	@echo "make run-full     run the full lessons"
	@echo "make lab          open notebooks of your own in JupyterLab"
	@echo "make lab-stored   open the originals, with all outputs"
	@echo "make editions     write all editions into dist/editions/"
	@echo
	@echo "make unit         the quick tests, a minute or two: no training, no browser"
	@echo "make check        format, lint and types"
	@echo "make format       format code and notebooks"
	@echo "make test         all of that, and a quick run of every notebook"
	@echo "make test-full    full lessons: stored outputs, and bands"
	@echo "make test-portable  run every portable notebook alone (long)"
	@echo "make test-lowest  unit tests with the lowest versions that are allowed"
	@echo "make test-pythons unit tests on each Python from 3.11 to 3.13 that is here"
	@echo
	@echo "make book         make the series into pages: book/_build/html/index.html"
	@echo "make figures      write images/ from the stored notebooks"
	@echo "make print        make the pages to print anew: book/print/*.pdf"
	@echo "make slides       make the slides of the sessions: slides/session-1.html and so on"
	@echo "make bands        measure the bands of trained results (long)"
	@echo "make bench        measure speeds, and what ink loses (long)"
	@echo "make transfer     measure how embedded digits stand in for MNIST (long)"
	@echo "make race         measure seconds to 99 %, beside the known record (needs PyTorch)"
	@echo "make summit       measure the most accurate small network (long)"
	@echo "make weights      train the networks of the book's drawing pad anew (needs MNIST, some minutes)"
	@echo "make wheels       everything to install, as a folder for a stick"
	@echo "make doctor       what is there, what is missing, and how to get it"
	@echo "make tools        install the browser and the virtual screen that some tests need (Debian, Ubuntu)"
	@echo "make lock         fix the versions anew"
	@echo "make clean        remove what these commands made"

$(READY): requirements.lock requirements-cpu.lock pyproject.toml
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(SUITS)' || { echo "Python 3.11, 3.12 or 3.13 is needed, and" \
		"$(if $(PYTHON),$(PYTHON) is another,none was found). Install one, or name it: make PYTHON=..."; exit 1; }
	@echo "Installing the environment into .venv, about $(if $(CPU_ONLY),2,3) GB: this takes some minutes, once."
	$(PYTHON) -m venv .venv
	@awk '/^[a-z]/ {cut = /^tensorflow==/} !cut' requirements.lock | cat - requirements-cpu.lock > .venv/cpu.lock
	@$(BIN)/python -m pip uninstall -qq --yes $(if $(CPU_ONLY),tensorflow,tensorflow-cpu)
	$(BIN)/python -m pip install --quiet --require-hashes -r $(LOCK) $(if $(CPU_ONLY),|| { \
		echo "No TensorFlow for the processor alone could be had: the usual one is tried." && \
		$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock; })
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $(READY)

run: $(READY)
	$(BIN)/python -m mnist_edu run

run-full: $(READY)
	$(BIN)/python -m mnist_edu run --full

# What is quick to fail comes first, the notebooks last.
UNIT := $(BIN)/python -m pytest -n 2 -p no:nbval -m "not slow and not browser and not series"

unit: $(READY)
	$(UNIT)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .
	sed -i.kept 's/"#@title/"# @title/' notebooks/*.ipynb
	$(BIN)/ruff format --quiet --isolated --line-length 100 notebooks/*.ipynb
	sed -i.kept 's/"# @title/"#@title/' notebooks/*.ipynb
	rm notebooks/*.ipynb.kept

test: check unit
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "(slow or browser) and not series"
	$(BIN)/python -m pytest -m series

test-full: $(READY)
	$(BIN)/python -m pytest tests/full

test-portable: $(READY)
	$(BIN)/python tests/alone.py

lab: $(READY)
	$(BIN)/python -m mnist_edu lab

lab-stored: $(READY)
	$(BIN)/python -m mnist_edu lab --stored

editions: $(READY)
	rm -rf dist/editions
	for kind in learner pupil teacher portable; do \
		$(BIN)/python -m mnist_edu edition $$kind --out dist/editions/$$kind || exit 1; done

figures: $(READY)
	$(BIN)/python -m mnist_edu figures

# Needs no TensorFlow and no network.
book: $(READY)
	$(BIN)/python book/build.py

print: $(READY)
	$(BIN)/python book/print/make.py

slides: $(READY)
	$(BIN)/python book/slides/make.py

bands: $(READY)
	$(BIN)/python -m mnist_edu bands
	$(BIN)/python -m mnist_edu bands --full
	$(BIN)/python -m mnist_edu bands --source synthetic
	$(BIN)/python -m mnist_edu bands --source synthetic --full

bench: $(READY)
	$(BIN)/python benchmarks/costs.py --series --full
	$(BIN)/python benchmarks/ink.py --images 2000
	$(BIN)/python benchmarks/report.py

transfer: $(READY)
	$(BIN)/python benchmarks/transfer.py
	$(BIN)/python benchmarks/report.py

race: $(READY)
	$(BIN)/python benchmarks/race.py
	$(BIN)/python benchmarks/report.py

summit: $(READY)
	$(BIN)/python benchmarks/summit.py
	$(BIN)/python benchmarks/summit.py ablation --seeds 3
	$(BIN)/python benchmarks/summit.py tried --seeds 1
	$(BIN)/python benchmarks/summit.py best --seeds 3
	$(BIN)/python benchmarks/report.py

weights: $(READY)
	$(BIN)/python book/export.py weights

wheels: $(READY)
	$(BIN)/python -m pip download --require-hashes -r requirements.lock -d wheels

doctor: $(READY)
	$(BIN)/python -m mnist_edu doctor

# Tests of the drawing pads skip, and say why, where these are missing.
SUDO := $(shell test "$$(id -u)" = 0 || echo sudo)
tools:
	$(SUDO) apt-get update --quiet --quiet
	$(SUDO) apt-get install --yes --quiet --no-install-recommends chromium chromium-driver xvfb xdotool

UPGRADE ?= --upgrade
HOW_LOCKED := --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate
lock: $(READY)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra all $(UPGRADE) $(HOW_LOCKED) -o requirements.lock
	sed -n 's/^tensorflow==/tensorflow-cpu==/p' requirements.lock | sed 's/ .*//' | \
		$(BIN)/uv pip compile - --no-deps $(HOW_LOCKED) -o requirements-cpu.lock

test-lowest: $(READY)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv venv --quiet --clear --python 3.11 .venv-lowest
	$(BIN)/uv pip install --quiet --python .venv-lowest --resolution lowest-direct -e '.[all]'
	.venv-lowest/bin/python -m pytest -m "not browser and not series"

test-pythons: $(READY)
	@for p in python3.11 python3.12 python3.13 $$HOME/.pyenv/versions/3.1[123].*/bin/python; do \
		v=$$($$p -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
		test -e .venv-$$v/done-$$$$ && continue; \
		$$p -m venv .venv-$$v && .venv-$$v/bin/python -m pip install --quiet --require-hashes -r requirements.lock && \
		.venv-$$v/bin/python -m pip install --quiet --no-deps --no-build-isolation -e . && \
		.venv-$$v/bin/python -m pytest -m "not browser and not series" && touch .venv-$$v/done-$$$$ || exit 1; \
	done

clean:
	rm -rf .venv .venv-* executed notebooks/logs book/_build slides wheels
