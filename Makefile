# Skipstone: everything is installed into .venv of this checkout.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help install lock format check test prepare-tests test-faults test-database test-toolchain test-lab test-long test-machine test-wide faults routes demo bench bench-scale clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

install: $(VENV)/.installed  ## the tool and its tests' tools, into .venv

$(VENV)/.installed: requirements-dev.txt pyproject.toml tools/prepare-machine
	tools/prepare-machine python
	test -x $(BIN)/python || python3 -m venv $(VENV)
	$(BIN)/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip --disable-pip-version-check -q install --no-deps --no-build-isolation -e .
	touch $@

lock:  ## pin the dependencies anew (hashes, no addresses)
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q -o requirements.txt pyproject.toml
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q --extra dev -c requirements.txt -o requirements-dev.txt pyproject.toml

format: install  ## format the code
	ruff format .
	ruff check --fix .

check: install  ## format, lint, types, unit tests: two to five minutes
	ruff format --check .
	ruff check .
	mypy
	pytest -q -n 3 --dist worksteal tests/unit tests/plans

test: prepare-tests check  ## all tests but the long ones: also on real daemons and on a real cloud, forty minutes (as root)
	$(MAKE) -j 2 --output-sync=line test-faults test-toolchain test-database
	$(MAKE) test-lab

test-long: install prepare-tests  ## what `make test` leaves out: more faults, rollback, releases, an hour (as root)
	tools/prepare-machine lab
	pytest -v -m long tests/database tests/faults tests/toolchain tests/lab

prepare-tests:  # first of all: without ping, `check` leaves tests out
	tools/prepare-machine tests

test-faults: install prepare-tests  ## tests with sshd, kill -9 and cut connections, ten minutes (as root)
	pytest -q -m "not long" tests/faults

test-database: install prepare-tests  ## tests with MariaDB, four minutes (as root)
	pytest -q -m "not long" tests/database

test-toolchain: install prepare-tests  ## tests that build releases' commands from the package index, ten minutes
	pytest -v -m "not long" tests/toolchain

test-machine: install  ## a real server with GRUB, /boot and LVM, upgraded and brought back, an hour without KVM (as root)
	tools/prepare-machine machine
	pytest -v tests/machine

test-lab: install  ## tests on a real cloud in the lab, the upgrade last, half an hour (as root)
	tools/prepare-machine lab
	pytest -v -m "not long" tests/lab

test-wide: install  ## a cloud with four computes, drained with faults and upgraded in waves, two hours (as root)
	tools/prepare-machine lab
	rm -f out/ways.jsonl out/links.jsonl
	pytest -v tests/wide
	python tools/ways_table.py

faults: install  ## the fault matrix, on a fast rig and in the lab, into docs/reference/faults.md (as root, two hours)
	tools/prepare-machine tests
	tools/prepare-machine lab
	rm -f out/faults.jsonl
	mkdir -p out
	pytest -q --junitxml=out/faults.xml tests/faults
	tools/prepare-machine machine
	pytest -v tests/machine
	pytest -v tests/matrix
	python tools/faults_table.py

routes: install  ## every pair of releases that matters, databases with content, into docs/reference/routes.md (hours)
	tools/prepare-machine tests
	rm -f out/routes.jsonl
	-pytest -v tests/toolchain/test_routes.py --routes all
	python tools/routes_table.py

demo: install  ## build a cloud on this machine and upgrade it from Zed to 2025.1 (as root)
	tools/prepare-machine lab
	tools/demo

bench: install  ## measure: the lab, the upgrade, and the same upgrade as a plain script (as root)
	tools/prepare-machine lab
	python bench/measure.py
	PYTHONPATH=. python bench/engine.py
	python bench/tally.py
	python bench/checkpoint.py

bench-scale: install  ## measure ten thousand simulated computes, into docs/explanation/scale.md
	PYTHONPATH=.:bench python bench/scale.py

clean:  ## remove what a build leaves here (not the lab's caches)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache out
