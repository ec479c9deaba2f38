# Everything a developer runs. Needs only make and Python 3.11 to 3.13; the environments are made when
# they are missing and left alone when they are not (scripts/set_up.py).

.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/sh

# The newest Python of those supported, unless the caller names one.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	if $$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; \
	then echo $$name; break; fi; done)

BIN := .venv/bin
# More arguments for the command that a target ends in: make test ARGS="tests/ion --no-cov".
ARGS ?=
# A file of tests runs in one process; one more than there are cores, since many tests wait for disks and
# other processes. WORKERS=0 for a debugger.
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1 )))
SPREAD := -n $(WORKERS) --dist loadfile

# What `make lambda` builds for. A Python of that version, where there is one, compiles its modules.
LAMBDA_PYTHON ?= 3.13
ARCH ?= arm64
EXTRAS ?= qldb,postgres

# The tests that touch Ion values or pyqldb: what the second environment, with amazon.ion 0.9.3, repeats.
# Not the walk over exports: it finds where blocks stand, and reads each of them often; 0.9.3 takes minutes for that.
ION_TESTS := tests/ion tests/parsers tests/partiql tests/ledger tests/replay tests/verification tests/laws \
	tests/clients tests/server tests/drivers tests/test_events.py $(wildcard tests/sinks/test_ledger*.py) \
	tests/sinks/test_qldb.py tests/sinks/parquet/test_columns.py tests/sinks/relational/test_documents.py \
	tests/archive/history \
	--ignore tests/parsers/test_export_walk.py

# What runs on the hot paths that mypyc compiles: repeated by `make test-compiled`. Left out is what replaces a
# constant of a compiled module, or `len`: neither reaches compiled code.
COMPILED_TESTS := tests/ion tests/parsers tests/verification tests/laws tests/test_hashing.py tests/test_formulas.py \
	tests/test_events.py tests/pipeline/test_jobs.py tests/archive/evidence \
	--deselect tests/parsers/test_export_walk.py::test_appending_tables_are_bounded_by_what_stands_between_them \
	--deselect tests/parsers/test_json_export.py::test_a_line_of_any_length_is_bounded \
	--deselect tests/ion/test_hostile.py::test_the_longest_value_is_bounded
HAS_HEADERS := -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())'
VECTORS = $(or $(QLDB_STREAM_VECTORS),$(abspath ../shared/vectors))

demo: .dev  ## run the main job once: a ledger's journal replayed into another, verified, compared
	@$(BIN)/qldb-stream demo $(ARGS)

test: .dev  ## run the tests, with branch coverage
	$(BIN)/python -m pytest $(SPREAD) --cov=qldb_stream $(ARGS)

check: .dev lint test-qldb test test-cdk  ## what CI runs: lint, types, import contracts, all environments' tests

lint: .dev  ## ruff, mypy --strict and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-qldb: .qldb  ## the tests that touch Ion values or pyqldb, on amazon.ion 0.9.3
	.venv-qldb/bin/python -m pytest -q $(SPREAD) -m "not soak and not node" $(ION_TESTS) $(ARGS)

test-cdk:  ## the deployment on AWS: synthesized, checked by cdk-nag, created in moto; needs npm
	@if command -v npm >/dev/null || [ "$$CI" = true ]; then $(MAKE) --no-print-directory .test-cdk; \
	else echo "test-cdk: left out, because there is no node or no npm"; fi

.test-cdk: .dev .cdk
	.venv-cdk/bin/python -m pytest -q infra/tests $(ARGS)

# Apart from the checkout, so that no binary is ever older than the source beside it. The installed package of
# .venv comes after the working folder on the path.
compiled: .dev  ## build/compiled: the wheel with hot paths compiled by mypyc, unpacked; needs a C compiler
	rm -rf build/compiled
	HATCH_BUILD_HOOK_ENABLE_CUSTOM=true $(BIN)/python -m pip -q --disable-pip-version-check wheel --no-deps -w build/compiled .
	$(BIN)/python -m zipfile -e build/compiled/qldb_stream-*.whl build/compiled
	cp -R tests benchmarks examples docs README.md pyproject.toml build/compiled
	cd build/compiled && $(abspath $(BIN))/python ../../scripts/check_compiled.py

test-compiled: .python  ## the tests of what is compiled, on the compiled wheel; needs a C compiler
	@if ! command -v cc >/dev/null; then echo "test-compiled: left out, because there is no C compiler (cc)"; \
	elif ! $(PYTHON) $(HAS_HEADERS); then echo "test-compiled: left out, because Python's headers (Python.h) are not here"; \
	else $(MAKE) --no-print-directory .test-compiled; fi

.test-compiled: compiled
	cd build/compiled && PYTHONPATH=$(CURDIR)/build/compiled QLDB_STREAM_VECTORS=$(VECTORS) \
	  $(abspath $(BIN))/python -m pytest -q --no-cov $(SPREAD) -m "not soak and not node" $(COMPILED_TESTS) $(ARGS)

bench-compiled: compiled  ## `python -m benchmarks archive` on the compiled wheel
	cd build/compiled && PYTHONPATH=$(CURDIR)/build/compiled $(abspath $(BIN))/python -m benchmarks archive $(ARGS)

lint-cdk: .cdk  ## mypy --strict over infra with the CDK's own types; takes a minute
	.venv-cdk/bin/mypy --config-file infra/mypy.ini infra

server-bundle: .dev  ## dist/server: the wheels that an instance of infra/cdk installs
	rm -rf dist/server
	$(BIN)/python -m pip -q wheel --no-deps -w dist/server .
	$(BIN)/python -m pip -q download -d dist/server --find-links dist/server --only-binary=:all: \
	  --implementation cp --python-version 3.11 \
	  --platform manylinux_2_28_aarch64 --platform manylinux2014_aarch64 \
	  'qldb-stream[cli,server,aws]' httptools

imports: .dev  ## install the package alone on every Python found, and import all of it
	$(BIN)/python scripts/check_imports.py

bench: .dev  ## print the benchmarks' ratios
	$(BIN)/python -m benchmarks $(ARGS)

lambda: .dev  ## build dist/lambda.zip: LAMBDA_PYTHON=3.13 ARCH=arm64|x86_64 EXTRAS=qldb,postgres
	$(BIN)/python scripts/build_lambda.py --python $(LAMBDA_PYTHON) --arch $(ARCH) --extras $(EXTRAS) $(ARGS)

soak: .dev  ## the long runs that CI leaves out
	$(BIN)/python -m pytest -m soak -s $(ARGS)

fmt: .dev  ## format, and mend what ruff can mend
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

clean:  ## remove environments, caches and what was built
	rm -rf .venv .venv-qldb .venv-cdk infra/cdk/node_modules infra/cdk/cdk.out .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf build dist htmlcov .coverage .demo .bench .soak
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.dev: .python
	@$(PYTHON) scripts/set_up.py dev

.qldb: .python
	@$(PYTHON) scripts/set_up.py qldb

.cdk: .python
	@$(PYTHON) scripts/set_up.py cdk
	@test infra/cdk/node_modules/.package-lock.json -nt infra/cdk/package-lock.json || \
	  { cd infra/cdk && npm ci --no-audit --no-fund --ignore-scripts --silent && touch node_modules/.package-lock.json; }

.python:
	@test -n "$(PYTHON)" || { echo "make: needs Python 3.11, 3.12 or 3.13 (PYTHON=/path/to/python)" >&2; exit 2; }

.PHONY: help demo test check lint test-qldb test-cdk .test-cdk lint-cdk compiled test-compiled .test-compiled bench-compiled server-bundle imports bench lambda soak fmt clean .dev .qldb .cdk .python
