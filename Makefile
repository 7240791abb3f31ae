# make plan | study | test | figures | tune | schema | release | readme | lint | format | lock | clean
#
#   make study CONFIG=configs/smoke.yaml CORES=2
#
# Plain commands for all of this stand in the README. pip obeys its own variables, so a CPU-only
# torch, for one, is a matter of PIP_EXTRA_INDEX_URL (README, "Run it").

PYTHON ?= python3
CORES ?= all
CONFIG ?= config.yaml
TESTS ?=
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -c envs/constraints.txt
# On a terminal with bars of all jobs and of each rule; in a log file the plain lines.
BARS := $(shell test -t 2 && echo --logger rich)
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES) $(BARS)
# Asked once, when the environment is there; empty, with a message, for a faulty configuration.
STUDY = $(eval STUDY := $(shell $(BIN)/python workflow/scripts/study.py --config '$(CONFIG)'))$(STUDY)
RESULTS = results/$(STUDY)
WORKFLOW_REPORT = $(RESULTS)/workflow-report.html

.PHONY: plan study test figures tune schema release readme lint format lock clean
.DELETE_ON_ERROR:

plan: $(VENV)/study  ## say what the study of CONFIG will take, before it is run
	$(BIN)/selfcell plan '$(CONFIG)'

study: $(VENV)/study  ## run the study of CONFIG: tables, figures, report
	@test -n "$(STUDY)"
	$(SNAKEMAKE) --configfile '$(CONFIG)'
	@if [ ! -e $(WORKFLOW_REPORT) ] || \
		[ -n "$$(find $(RESULTS)/figures workflow/report -newer $(WORKFLOW_REPORT))" ]; then \
		$(BIN)/snakemake --configfile '$(CONFIG)' --report $(RESULTS)/.workflow-report.html && \
		mv $(RESULTS)/.workflow-report.html $(WORKFLOW_REPORT); fi
	@echo
	@echo "score table  $(RESULTS)/scores.parquet"
	@echo "contrasts    $(RESULTS)/contrasts.parquet"
	@echo "figures      $(RESULTS)/figures/"
	@echo "jobs         $(WORKFLOW_REPORT)"
	@echo "report       $(RESULTS)/report.html"

test: $(VENV)/dev  ## every test; bare pytest is the fast part
	$(BIN)/pytest -m "" --numprocesses $(WORKERS) --dist loadfile $(TESTS)

figures: $(VENV)/study  ## redraw results/released from its tables, without training
	$(SNAKEMAKE) --snakefile workflow/redraw.smk --forceall

tune: $(VENV)/study  ## choose the fine-tuning grid on the development set
	$(SNAKEMAKE) --configfile configs/tune.yaml -- tuned
	cp results/tune/tuning.yaml resources/.tuning.yaml
	mv resources/.tuning.yaml resources/tuning.yaml

schema: $(VENV)/study  ## write the configuration's schema from the code
	$(BIN)/python workflow/scripts/schema.py --out workflow/schemas/config.schema.yaml

release: study  ## copy the small files of CONFIG's finished study to results/released
	$(BIN)/python workflow/scripts/release.py --config '$(CONFIG)'

readme: $(VENV)/study  ## write the generated parts of README.md from results/released
	$(BIN)/python workflow/scripts/readme.py

lint: $(VENV)/dev  ## linters, formatters (checked only), types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint

format: $(VENV)/dev  ## format Python and Snakemake files
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

lock:  ## write envs/constraints.txt anew from the newest versions pyproject.toml allows
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install -e '.[dev,integration,scvi]'
	sed -n '/^#/p' envs/constraints.txt > build/constraints.txt
	build/lock/bin/python -m pip freeze --all --exclude pip --exclude-editable | sed 's/+.*//' | LC_ALL=C sort -f \
		>> build/constraints.txt
	mv build/constraints.txt envs/constraints.txt
	rm -rf build/lock

clean:  ## remove the environment, caches and all results but the released ones
	rm -rf $(VENV) build dist .snakemake .pytest_cache .mypy_cache .ruff_cache logs
	test ! -d results || find results -mindepth 1 -maxdepth 1 ! -name released -exec rm -rf {} +

# Installed anew only when what is wanted changed. Snakemake and the scripts need the first, the
# tests and linters the second.
$(VENV)/study: pyproject.toml envs/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[integration]'
	@touch $@

$(VENV)/dev: pyproject.toml envs/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[dev,integration]'
	@touch $(VENV)/study $@
