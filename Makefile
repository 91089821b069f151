# Every task, one line each: `make` alone lists them.
UV_VERSION := 0.13.9
UV         := $(shell command -v uv 2>/dev/null || echo .local/uv/bin/uv)
RUN        := $(UV) run --frozen --all-extras
PYTEST     ?= $(RUN) pytest

# Whose cluster is meant is said with each command: a variable that lies about in a shell says nothing.
ifneq ($(filter environment%,$(origin CONTEXT)),)
override CONTEXT :=
endif

.DEFAULT_GOAL := help
.PHONY: help up down status drill bench-operator bench-service bench-monitoring soak soak-operator draw-operator test test-fast check format generate clean

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 18

up: $(UV) ## bring up a cluster, the operator and one service; on the embedded cluster its monitoring too [STACK=off: without it; ON=embedded or ON=kind; CONTEXT=name: your own cluster]
	@$(RUN) python -m dev.cluster up $(if $(CONTEXT),--context $(CONTEXT)) $(if $(ON),--on $(ON)) $(if $(filter off,$(STACK)),--no-stack)

down: $(UV) ## stop the local cluster and remove it; installed packages and caches stay [CONTEXT=name: remove what up made there]
	@$(RUN) python -m dev.cluster down $(if $(CONTEXT),--context $(CONTEXT))

status: $(UV) ## show what runs on the local cluster
	@$(RUN) python -m dev.cluster status

drill: $(UV) ## make seven alerts fire and reach Alertmanager, four of them a receiver, and six end, on the embedded cluster
	@$(RUN) python -m dev.stack.drill

bench-operator: $(UV) ## measure the operator beside a bare client, figures to .local/bench [COUNT=1000; CROWD=1: among strangers' objects; ROLL=1: instead, roll all pods]
	@$(RUN) python -m dev.bench.operator --count $(or $(COUNT),1000) $(if $(CROWD),--crowd) $(if $(ROLL),--roll)

bench-service: $(UV) ## measure what the service's instruments cost, figures to .local/bench [PARTS=idle: only that]
	@$(RUN) python -m dev.bench.service $(PARTS)

bench-monitoring: $(UV) ## measure rules, series, dashboards and span metrics, figures to .local/bench [PARTS=rules; HOURS=1: of spans]
	@$(RUN) python -m dev.bench.monitoring $(PARTS) $(if $(HOURS),--hours $(HOURS))

soak: $(UV) ## let callers leave and a provider fail for ten minutes, and look for what is left, figures to .local/bench [MINUTES=10]
	@$(RUN) python -m dev.bench.soak --minutes $(or $(MINUTES),10)

soak-operator: $(UV) ## let people edit, break and delete resources for ten minutes, and look for what is left, figures to .local/bench [MINUTES=10]
	@$(RUN) python -m dev.bench.soak_operator --minutes $(or $(MINUTES),10)

# They drain nodes, delete namespaces and look into containerd: not for a cluster that anybody else works with.
test: override ON := embedded
test: up ## run every test, on the embedded cluster; brings it up when it is not
	$(PYTEST) --numprocesses=2 --no-loadscope-reorder

draw-operator: override ON := embedded
draw-operator: up ## try the operator on other random specs than `make test` does, and on many more, on the embedded cluster [TIMES=10: as many as there]
	DRAWS=$(or $(TIMES),10) $(PYTEST) --timeout=0 tests/cluster/test_crd_any_spec.py tests/cluster/test_operator_properties.py

test-fast: $(UV) ## run the tests that need no cluster
	$(PYTEST) tests/unit tests/golden tests/contract

check: $(UV) ## lint, types, layers, drift of generated text and unit tests, in seconds
	@$(RUN) ruff format --check --quiet . && $(RUN) ruff check --quiet .
	@$(RUN) lint-imports --no-cache
	@$(RUN) mypy & types=$$!; $(PYTEST) -q --numprocesses=2 tests/unit; tests=$$?; wait $$types && exit $$tests

format: $(UV) ## format, and fix what the linter can fix
	@$(RUN) ruff format . && $(RUN) ruff check --fix .

generate: $(UV) ## write the CRD and its reference, the dashboards, and the golden files
	$(RUN) python -m t2i_operator.crd --write
	$(RUN) python -m dashboards
	$(PYTEST) -q tests/golden --update

clean: down ## `make down`, and delete .local/ and .venv/ (binaries and images stay in the user's cache)
	rm -rf .local .venv

# uv is the only thing a machine with Python needs; where it is missing, a copy of its own is installed.
.local/uv/bin/uv:
	@python3 -m venv .local/uv || { echo "python3 cannot make a virtual environment: install python3-venv (Debian: apt-get install python3-venv) or uv." >&2; exit 1; }
	@.local/uv/bin/pip install --quiet uv==$(UV_VERSION)
