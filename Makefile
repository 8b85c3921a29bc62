# Everything a person or a pipeline does with this project. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
PORT ?= 8080
export PORT

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "make %-14s %s\n", $$1, $$2}'

.venv/.ready: requirements/all.txt pyproject.toml
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "modelswitch needs Python 3.11 or newer; this is " + sys.version)'
	@echo "setting up .venv (once)"
	@python3 -m venv .venv
	@.venv/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/all.txt
	@.venv/bin/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: .venv/.ready ## the product on http://127.0.0.1:8080 (PORT=…); KUBECONFIG=… for a real cluster
	@$(PY) -m functions.local

test: .venv/.ready ## unit, contract, function and manifest tests
	@$(PY) -m pytest tests/unit tests/contract tests/functions tests/manifests

.PHONY: help run test
