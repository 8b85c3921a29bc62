# Targets for the faults that are searched for and planted; the Makefile includes this file.
STATES ?= 1000000
WALKS ?= 200
SEED ?= 1

faults: faults-exhaustive faults-planted faults-rebuild faults-fuzz faults-schedules ## what could go wrong, tried: every state (STATES=…), random walks (WALKS=…, SEED=…), planted bugs, a lost Redis (MODELS=…), fuzzing (CALLS=…), random schedules on real processes (N=…)

faults-exhaustive: setup
	@$(PY) tests/faults/exhaustive.py --states $(STATES) --walks $(WALKS) --seed $(SEED)

faults-planted: setup
	@$(PY) -m pytest -q tests/faults/test_planted_bugs.py

.PHONY: faults faults-exhaustive faults-planted

MODELS ?= 10000
CALLS ?= 50000

faults-rebuild: setup
	@$(PY) tests/faults/rebuild.py --models $(MODELS)

faults-fuzz: setup
	@PYTHONPATH=tests/faults $(PY) -m fuzz --calls $(CALLS) --seed $(SEED)

.PHONY: faults-rebuild faults-fuzz

CHILDREN ?= 2

mutation: setup ## every small change of the lifecycle's code, and whether its unit tests notice (CHILDREN=… at a time; half an hour on two cores)
	@$(PY) tests/faults/mutation.py --children $(CHILDREN)

.PHONY: mutation

N ?= 200

faults-schedules: setup ## random schedules on real processes (N=…, SEED=… the first one's); the last line is the figures
	@PYTHONPATH=tests/faults $(PY) -m schedules --schedules $(N) --seed $(SEED)

.PHONY: faults-schedules
