# Every command installs what it needs first, says so, and can run twice. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PY := .venv/bin/python
BOOT := tests/world/bootstrap.sh
# Public recordings for tests and training; without them those tests skip by name.
ROOMKEEPER_DATA ?= $(realpath $(wildcard ../shared/data))
ifneq ($(ROOMKEEPER_DATA),)
export ROOMKEEPER_DATA
endif
# Compiled once, beside what else is built, not in the tree: every command and test starts processes.
export PYTHONPYCACHEPREFIX = $(CURDIR)/build/pycache
# A machine that forbids it would compile every library anew in each of some thousand processes.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help demo test test-openstack faults check bench mutate lint format lock schema wasm wasm-check clean setup setup-python

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: ## Install what is missing: Debian packages and .venv
	@$(BOOT) all

setup-python:
	@$(BOOT) python

demo: setup ## Live through one meeting: STAY=1 CAMERA=... MICROPHONE=... CALENDAR=...
	@exec $(PY) -m tests.world.demo \
	  $(if $(STAY),--stay) \
	  $(if $(CAMERA),--camera '$(CAMERA)') \
	  $(if $(MICROPHONE),--microphone '$(MICROPHONE)') \
	  $(if $(CALENDAR),--calendar '$(CALENDAR)')

check: setup ## What is fast: lint, types, import rules, tests without machines and training
	@$(MAKE) --no-print-directory lint
	@$(PY) -m pytest -m "not slow" --timeout 60

lint: setup-python ## ruff, mypy, import rules
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo --no-cache

format: setup-python ## Format, and fix what can be fixed
	@.venv/bin/ruff format
	@.venv/bin/ruff check --fix

test: setup wasm-check ## Everything but figures: lint, plugins rebuilt, all tests, coverage
	@$(MAKE) --no-print-directory lint
	@.venv/bin/coverage erase
	@.venv/bin/coverage run -m pytest
	@.venv/bin/coverage report

test-openstack: setup ## The provider for OpenStack, on a real one that is brought up for it (minutes)
	@$(BOOT) nova
	@ROOMKEEPER_OPENSTACK=1 $(PY) -m pytest tests/cloud_bridge/vms -k openstack --durations 5

faults: setup ## What `make test` leaves out: long faults of machines; WRITE=1 keeps the table of 50 kills
	@$(PY) -m pytest tests/faults -m long
	@$(PY) -m tests.faults.machines --kills 50 $(if $(WRITE),--write)

bench: setup ## Every figure with its peer; WRITE=1 puts the table into BENCHMARKS.md
	@$(PY) -m tests.bench $(if $(WRITE),--write)

mutate: setup-python ## Change gate, arbiter and policy, and see that a test fails; WRITE=1 keeps the score
	@$(PY) -m tests.mutation $(if $(WRITE),--write)

wasm: ## Build the shipped plugins, and those of tests and figures, from their sources
	@$(BOOT) wasm
	@.venv-wasm/bin/python -m wasm_modules.build
	@.venv-wasm/bin/python -m cloud_bridge.vms.guest.compile
	@.venv-wasm/bin/python -m tests.plugins.hostile_build
	@.venv-wasm/bin/python -m tests.bench.extism.build

wasm-check: ## Rebuild the shipped plugins and compare
	@$(BOOT) wasm
	@.venv-wasm/bin/python -m wasm_modules.build --check
	@.venv-wasm/bin/python -m cloud_bridge.vms.guest.compile --check

schema: setup-python ## Write the JSON Schema of every message
	@$(PY) -m edge.contracts.schema edge/contracts/schema

lock: setup-python ## Resolve pyproject.toml into lock/
	@lock/update.sh

clean: ## Remove what the commands made, environments included
	rm -rf build dist .venv .venv-wasm .mypy_cache .pytest_cache .ruff_cache .hypothesis \
	  .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
