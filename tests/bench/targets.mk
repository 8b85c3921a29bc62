# Measuring; the Makefile includes this file.
ROWS ?=
ROUNDS ?= 5
IDLE ?= 600

bench: setup ## measure speed against peers: KUBECONFIG=… for the rows that need an API server, ROWS="bulk stop …", ROUNDS=5, IDLE=600 (s)
	@test -z "$$KUBECONFIG" || export KSERVE=$${KSERVE:-$$($(PY) tests/e2e/kserve_controller.py)}; \
	  $(PY) tests/bench/run.py --rounds $(ROUNDS) --idle-seconds $(IDLE) $(ROWS)

walk: setup ## the path of a stop, a reload, an artifact and a pod event through the code: files, moves, calls (WALK=--files lists them)
	@$(PY) tests/bench/walk.py $(WALK)

.PHONY: bench walk
