# Targets for the faults that are searched for and planted; the Makefile includes this file.
STATES ?= 1000000
WALKS ?= 200
SEED ?= 1

faults: faults-exhaustive faults-planted ## what could go wrong, tried: every state (STATES=…), random walks (WALKS=…, SEED=…), planted bugs

faults-exhaustive: setup
	@$(PY) tests/faults/exhaustive.py --states $(STATES) --walks $(WALKS) --seed $(SEED)

faults-planted: setup
	@$(PY) -m pytest -q tests/faults/test_planted_bugs.py

.PHONY: faults faults-exhaustive faults-planted
