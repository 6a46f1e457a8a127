# Everything that a developer or a CI job runs; `make help` lists it.
# Needs Python 3.11 or later and no Redis: a server comes with the packages.

# the first of these that is new enough; PYTHON=... overrules
PYTHONS := python3 python3.13 python3.12 python3.11
PYTHON ?= $(shell for p in $(PYTHONS); do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BOARD_STAMP := $(VENV)/.board-tests
BENCH := .venv-bench
# of `make soak`
MINUTES ?= 60
# e.g. make test ARGS="-k pool -x"
ARGS ?=
# in the order of the folders: those with few and long tests come first, so that no worker waits for them at the
# end; three workers on two cores, since many tests wait for a server or a clock
PYTEST := $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

# whatever the environment says, compiled code is kept: each worker imports all tests, and hundreds start the program
export PYTHONDONTWRITEBYTECODE :=

# a dot now and then, for as long as the shell of the line lives
DOTS := while sleep 2 && kill -0 $$$$ 2>/dev/null; do printf .; done & dots=$$!;
END_DOTS := code=$$?; kill $$dots; echo; exit $$code

.DEFAULT_GOAL := help
.PHONY: help setup demo bench bench-10m bench-cluster bench-redis7 test test-robust test-cluster test-all test-servers test-machine test-board screenshots cov mutants faults faults-cluster soak exports oracle hostile fuzz charts audit check fmt docs gallery clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv and install dealdb with all extras and the developer tools

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or later found; set PYTHON=/path/to/python3" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@printf "installing into $(VENV), which takes a minute "
	@$(DOTS) $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'; $(END_DOTS)
	@touch $@

demo: $(STAMP) ## Load 1,600 sample deals into a server of its own and show what dealdb does
	@$(BIN)/dealdb demo

# the peers bring packages that would disturb the types here, so they have an environment of their own
$(BENCH)/.installed: pyproject.toml constraints.txt
	@$(BENCH)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(BENCH)
	@printf "installing into $(BENCH), which takes a minute "
	@$(DOTS) $(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'; $(END_DOTS)
	@touch $@

bench: $(BENCH)/.installed ## Measure against other ways, and write docs/benchmarks.md; e.g. ARGS="load --n 100000"
	$(BENCH)/bin/python -m benchmarks $(ARGS)

bench-10m: $(BENCH)/.installed ## The same operations up to 10,000,000 deals, and docs/benchmarks-10m.md; half an hour, 16 GB
	$(BENCH)/bin/python -m benchmarks.scale $(ARGS)

bench-cluster: $(BENCH)/.installed ## Partitions on one server and on clusters, and docs/benchmarks-cluster.md; five minutes
	$(BENCH)/bin/python -m benchmarks.cluster $(ARGS)

bench-redis7: $(BENCH)/.installed ## The figures that the server's memory allocator bears on, on the Redis of this system
	$(BENCH)/bin/python -m benchmarks load memory cold_start group_by filter_top20 point catch_up --n 1000000 \
	  --server redis7 $(ARGS)

# each takes seconds: processes that are killed, links that break, files and requests that attack; the tests of single
# parts that wait for such things: forks, signals, failovers, and servers that end after their time; files that are
# damaged: backups and indexes of words; and what asks for every metric, compares many random histories, searches or
# charts with another way to the same answer, follows many writers, or needs many deals
ROBUST := tests/exports tests/faults tests/fuzz tests/hostile tests/oracle \
	$(addprefix tests/unit/, charts/svg/test_drawing.py charts/text/test_printing.py charts/vega \
	loader/history/test_read.py query/index query/sql/isolated query/sql/test_session.py \
	store/facts/following/test_continued.py store/facts/test_event.py store/partitions/past/test_joined_ledger.py) \
	$(addprefix tests/server/, board/kanban/test_running_board.py board/pages/test_figures_of_every_metric.py \
	board/test_guard_attacks.py board/test_live.py cli/commands/browser/test_board.py cli/commands/test_charts.py \
	cli/commands/test_past.py cli/commands/test_watch.py cli/test_leaving.py cli/test_leaving_commands.py \
	connection/embedded/test_disk.py connection/embedded/test_keeper.py connection/embedded/test_mend.py \
	connection/embedded/test_server.py connection/test_demotion.py connection/test_fork.py \
	connection/test_link_interrupts.py connection/test_logs.py loader/facts/test_retold.py \
	loader/test_crm_exports.py loader/writing/test_resume.py query/index query/results/test_by_id.py \
	report/test_report.py report/test_sections.py store/archive/test_merging.py store/backup \
	store/checkpoint/test_fold.py store/checkpoint/test_fold_killed.py store/checkpoint/test_schedule.py \
	store/checkpoint/test_schedule_at_the_end.py store/commit/test_durability.py store/facts/following \
	store/facts/test_event_ways.py store/facts/test_rebuild_cut_off.py store/history/test_feed.py \
	store/history/test_reading_lost_log.py store/live store/partitions/loading store/replica store/test_store_machine.py \
	test_engines.py)

# several servers that fail and are replaced, and collections that are spread over them, but for what is of ROBUST
CLUSTER := tests/faults/cluster \
	$(addprefix tests/server/, connection/cluster connection/server/test_nodes.py connection/test_sentinels.py \
	connection/test_sentinels_asked.py connection/test_sentinels_tls.py store/partitions \
	store/commit/test_script_in_moving_slot.py board/test_live_on_partitions.py)
# of these what other servers may do otherwise
CLUSTER_SHORT := tests/faults/cluster tests/server/connection/cluster \
	tests/server/connection/test_sentinels.py tests/server/connection/test_sentinels_asked.py \
	tests/server/connection/test_sentinels_tls.py tests/server/store/commit/test_script_in_moving_slot.py \
	$(shell find tests/server/store/partitions -name 'test_*_on_cluster.py')

# what runs in a browser has a target of its own
BROWSER := tests/browser

# one thread of Polars a worker: tables of tests have few rows, and to hand them to other threads takes longer than
# the work on them; all other targets have those of the machine
test: export POLARS_MAX_THREADS := 1
test: $(STAMP) ## Run the tests on the bundled Valkey 9, but for those of test-robust, test-cluster and test-board
	$(PYTEST) $(addprefix --ignore=,$(ROBUST) $(CLUSTER) $(BROWSER)) $(ARGS)

test-robust: $(STAMP) ## Killed processes, broken links, forks, signals, attacks, twisted data, generated exports, every metric
	$(PYTEST) $(ROBUST) --ignore=tests/faults/cluster $(ARGS)

test-cluster: $(STAMP) ## Clusters, Sentinels and partitions: nodes that are killed, frozen, cut off and moved
	$(PYTEST) $(CLUSTER) $(addprefix --ignore=,$(filter tests/server/store/partitions/%,$(ROBUST))) $(ARGS)

test-all: $(STAMP) ## The same with the slow tests, and more examples of those with random ones
	$(PYTEST) --ignore=$(BROWSER) -m "slow or not slow" --hypothesis-profile=long $(ARGS)

# Playwright, pypdf, Chromium of this system, axe-core and the clock of the pictures
$(BOARD_STAMP): $(STAMP) pyproject.toml constraints.txt tests/browser/package.json tools/board_tests.sh
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[board-tests]'
	@tools/board_tests.sh
	@touch $@

test-board: $(BOARD_STAMP) ## The board and all charts in a real browser; installs Playwright, Chromium (as root on Debian) and axe-core
	$(BIN)/pytest $(BROWSER) $(ARGS)

screenshots: $(BOARD_STAMP) ## Make the pictures of docs/board.md: every page on the sample deals
	PYTHONPATH=tests $(BIN)/python -m browser.screenshots docs/pictures

test-servers: $(STAMP) ## The tests that need a server on Redis 7 and on Redis 6.2
	$(PYTEST) tests/server $(addprefix --ignore=,$(CLUSTER)) --server=redis7 $(ARGS)
	$(PYTEST) $(CLUSTER_SHORT) --server=redis7 $(ARGS)
	$(PYTEST) tests/server $(addprefix --ignore=,$(CLUSTER)) --server=redis62 $(ARGS)

test-machine: $(STAMP) ## The store against its model, 5,000 examples (two hours or so); e.g. ARGS=--server=redis7
	$(BIN)/pytest tests/server/store/test_store_machine.py -m slow $(ARGS)

cov: $(STAMP) ## Run the tests with branch coverage, and write htmlcov/; forked and killed processes don't count
	$(PYTEST) --ignore=$(BROWSER) --cov --cov-report=term --cov-report=html $(ARGS)

mutants: $(STAMP) ## Break the rules of the protocol one by one: a test has to notice each
	$(BIN)/python tests/mutants.py $(ARGS)

faults: $(STAMP) ## 10 minutes of writers, readers and real faults, then a verdict; e.g. ARGS="--seed 2 --server redis7"
	PYTHONPATH=tests $(BIN)/python -m faults $(ARGS)

faults-cluster: $(STAMP) ## 500,000 changes on a cluster whose nodes fail, move and join; e.g. ARGS="--seed 2 --server redis7"
	PYTHONPATH=tests $(BIN)/python -m faults.cluster $(ARGS)

soak: $(STAMP) ## The same for longer: make soak MINUTES=240
	PYTHONPATH=tests $(BIN)/python -m faults --minutes $(MINUTES) $(ARGS)

exports: $(STAMP) ## 1,000 generated exports whose truth is known: which figures are right; e.g. ARGS="--only HubSpot"
	PYTHONPATH=tests $(BIN)/python -m exports $(ARGS)

oracle: $(STAMP) ## Metrics on history against a brute force, 10,000 random histories each; e.g. ARGS="--only funnel --n 500"
	PYTHONPATH=tests $(BIN)/python -m oracle $(ARGS)

hostile: $(STAMP) ## Small hostile inputs, each in a process of its own: how it ends, and its peak of memory; e.g. ARGS="-k workbook"
	PYTHONPATH=tests $(BIN)/python -m hostile $(ARGS)

fuzz: $(STAMP) ## 30 minutes of random and twisted input, shared by its targets; e.g. ARGS="--only evil --minutes 5 --seed 1"
	PYTHONPATH=tests $(BIN)/python -m fuzz $(ARGS)

charts: $(STAMP) ## Draw every form of chart into charts.html, to be looked at
	$(BIN)/python tools/chart_sheet.py charts.html

audit: $(STAMP) ## Known vulnerabilities of the pinned packages (needs a network), and what bandit finds
	$(BIN)/bandit --quiet --recursive src --configfile pyproject.toml
	$(BIN)/python tools/audit.py

check: $(STAMP) ## Read-only checks: lint, format, types, bandit, generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive src --configfile pyproject.toml
	$(BIN)/python -m dealdb.cli.reference --check docs/cli.md
	$(BIN)/python tools/api_page.py --check docs/api.md
	$(BIN)/python tools/exports_page.py --check docs/exports.md

fmt: $(STAMP) ## Format the code and apply the safe fixes of the linter
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP) ## Write docs/cli.md from the help texts, docs/api.md from the docstrings, docs/exports.md from loads
	$(BIN)/python -m dealdb.cli.reference docs/cli.md
	$(BIN)/python tools/api_page.py docs/api.md
	$(BIN)/python tools/exports_page.py docs/exports.md

gallery: $(STAMP) ## Draw all charts again, and write docs/gallery.md; look at them before they are committed
	$(BIN)/python tools/gallery.py docs

clean: ## Remove .venv, caches and build products
	rm -rf $(VENV) $(BENCH) tests/browser/node_modules build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
