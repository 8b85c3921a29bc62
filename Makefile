# Everything a person or a pipeline does with this project. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
PORT ?= 8080
AT_ONCE ?= 4
export PORT
# pytest caches rewritten test files in __pycache__; without that cache each worker spends five seconds rewriting them.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{split($$1, name, ":"); printf "make %-12s %s\n", name[1], $$2}'

.venv/.ready: requirements/all.txt pyproject.toml
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "modelswitch needs Python 3.11 or newer; this is " + sys.version)'
	@echo "setting up .venv (once)"
	@python3 -m venv .venv
	@.venv/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/all.txt
	@.venv/bin/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@.venv/bin/python -m compileall -q events functions
	@touch $@

setup: .venv/.ready ## what the other targets need (they call it themselves)

run: setup ## the product on http://127.0.0.1:8080 (PORT=…); with KUBECONFIG=… for that cluster
	@exec $(PY) -m functions.local

# The quick ones first, and what takes long before what does not, so that all workers end at the same time.
test: setup ## unit, contract, function and manifest tests, and a sample of the faults
	@$(PY) -m pytest -n 5 --dist loadfile --no-loadscope-reorder tests/unit \
	  tests/faults/test_schedules.py tests/faults/test_fuzz.py tests/faults/test_rebuild.py tests/faults/test_exhaustive.py \
	  tests/functions tests/contract tests/manifests tests/upgrade

check: setup ## lint, types, import rules, generated files, README
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports
	@$(PY) -m events.catalogue --check
	@$(PY) -m functions.lifecycle.document --check
	@$(PY) -m pytest -q tests/docs

e2e: setup ## end to end on the cluster that KUBECONFIG names (LONG=1: with what takes long; AT_ONCE=… tests at a time)
	@test -n "$$KUBECONFIG" || { echo "make e2e needs KUBECONFIG: the cluster to test on (see CONTRIBUTING.md)"; exit 2; }
	@set -e; if [ -n "$$IMAGE_BUILDER" ]; then \
	    [ -n "$$MODELSERVER_IMAGE" ] || MODELSERVER_IMAGE=$$(tests/e2e/modelserver/build); \
	    [ -n "$$MODELSWITCH_IMAGE" ] || MODELSWITCH_IMAGE=$$(tests/e2e/commandline/build); \
	    export MODELSERVER_IMAGE MODELSWITCH_IMAGE; \
	  fi; \
	  KSERVE=$$($(PY) tests/e2e/kserve_controller.py); export KSERVE; echo "KServe's controller: $$KSERVE"; \
	  MODELSWITCH_TEST_KUBECONFIG="$$KUBECONFIG" $(PY) -m pytest -n $(AT_ONCE) -q tests/contract tests/manifests \
	    -k "(real or server_accepts) and not simulated"; \
	  $(PY) -m pytest -n $(AT_ONCE) --dist loadgroup --durations=15 -m "not alone$(if $(LONG),, and not long)" tests/e2e; \
	  $(PY) -m pytest --durations=5 -m "alone$(if $(LONG),, and not long)" tests/e2e

generate: setup ## write what is generated: schemas, EventTypes, docs/events.md, the state table
	@$(PY) -m events.catalogue
	@$(PY) -m functions.lifecycle.document

format: setup ## format and fix
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

lock: setup ## regenerate the pinned requirements/*.txt from pyproject.toml (needs uv)
	@uv pip compile -q --python-version 3.11 --no-header --generate-hashes --all-extras --group dev pyproject.toml -o requirements/all.txt
	@uv pip compile -q --python-version 3.11 --no-header --generate-hashes --extra functions pyproject.toml \
	  -c <(sed -n 's/^\([a-z].*==[^ ]*\).*/\1/p' requirements/all.txt) -o requirements/functions.txt

include knative/targets.mk tests/faults/targets.mk tests/bench/targets.mk tests/browser/targets.mk

.PHONY: help setup run test check e2e generate format lock
