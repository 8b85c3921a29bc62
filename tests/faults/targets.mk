# Targets that search for faults and plant them; the Makefile includes this file.
STATES ?= 1000000
WALKS ?= 200
SEED ?= 1

faults: faults-exhaustive faults-planted faults-rebuild faults-fuzz faults-order faults-schedules ## search for faults: every state (STATES=…), random walks (WALKS=…, SEED=…), planted bugs, a lost Redis (MODELS=…), fuzzing (CALLS=…), the order of 50 models' commands, random schedules on real processes (N=…)

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

faults-order: setup ## 20 commands each of 50 models, milliseconds apart, by REST, by event and through the local broker: the last one wins
	@ORDER_MODELS=50 ORDER_COMMANDS=20 ORDER_GAPS="0 0.01 0.02 0.05 0.1" ORDER_LONGEST_WAIT=1 $(PY) -m pytest -q -n 0 --timeout 900 tests/functions/test_order_of_commands.py

.PHONY: faults-order

OBJECTS ?= 10000

faults-hostile: setup ## a hostile tenant at full speed beside 100 models of others (OBJECTS=…, and as many events); the last line is the figures
	@$(PY) tests/faults/hostile_tenant.py --objects $(OBJECTS) --events $(OBJECTS)

.PHONY: faults-hostile
