# Sets up and runs Huiyao. Needs Python 3.11 or newer with its venv module, and make.
# Packages are installed only from the requirement files, by hash; .venv is rebuilt only when those change.

PYTHON ?= python3 python3.13 python3.12 python3.11
JOBS ?= 4
ARGS ?=
ROWS ?=

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

venv := .venv
bin := $(venv)/bin
pip_install := -m pip --disable-pip-version-check --no-input install --quiet
typed := $(wildcard src tests bench proof docs/site)
prove = $(bin)/python -W 'ignore:XDG_RUNTIME_DIR' -m proof
compile = .venv-lock/bin/uv --no-config pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --custom-compile-command 'make lock' \
	$(if $(UPGRADE),--upgrade) --output-file

.PHONY: help
help: ## explain the targets (this)
	@printf 'make TARGET [ARGS="..."]\n\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 20
	@printf '\nPYTHON=/path/to/python3 chooses the interpreter (3.11 or newer), JOBS=N the test processes.\n'

.PHONY: install
install: $(venv)/.huiyao ## set up .venv with the huiyao command, and nothing for development

.PHONY: run
run: install ## start the sandbox: huiyao demo $(ARGS)
	$(bin)/huiyao demo $(ARGS)

.PHONY: test
test: $(venv)/.dev ## run the whole test suite, PostgreSQL, Kannel and browser included: pytest $(ARGS)
	@left_out=$$(sh tests/find_tools.sh) || exit 1; \
	set -x; $(bin)/pytest --numprocesses=$(JOBS) -m "not thorough$${left_out:+ and $$left_out}" $(ARGS)

.PHONY: prove
prove: $(venv)/.dev ## run what takes too long for each change, then the proofs of docs/proof.md; or these alone: ROWS="kill outage"
ifeq ($(strip $(ROWS)),)
	@left_out=$$(sh tests/find_tools.sh) || exit 1; \
	set -x; $(bin)/pytest --numprocesses=$(JOBS) -m "thorough$${left_out:+ and $$left_out}" $(ARGS) \
		&& tests=0 || tests=1; $(prove) && exit $$tests
else
	$(prove) $(ROWS) $(ARGS)
endif

.PHONY: simulate
simulate: $(venv)/.dev ## simulate a day of 10,000 meetings and 500 lives of one on both databases: pytest $(ARGS)
	HUIYAO_TEST_MEETINGS=10000 HUIYAO_TEST_LIVES=500 $(bin)/pytest tests/model/test_day.py tests/model/test_lives.py --timeout=3000 --durations=4 $(ARGS)

.PHONY: check
check: $(venv)/.dev ## check formatting, lint and types
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(bin)/mypy $(typed)

.PHONY: format
format: $(venv)/.dev ## format the code and apply the linter's safe fixes
	$(bin)/ruff check --fix-only .
	$(bin)/ruff format .

.PHONY: bench
bench: $(venv)/.dev ## run the benchmarks: bench/run.py $(ARGS)
	$(bin)/python -W 'ignore:XDG_RUNTIME_DIR' bench/run.py $(ARGS)

.PHONY: bench-limits
bench-limits: $(venv)/.dev ## what limits cost: create with all of them beside create with none: bench/limits.py $(ARGS)
	$(bin)/python -W 'ignore:XDG_RUNTIME_DIR' bench/limits.py $(ARGS)

.PHONY: bench-dispatch
bench-dispatch: $(venv)/.dev ## run the dispatcher's benchmarks: bench/dispatch.py $(ARGS)
	$(bin)/python -W 'ignore:XDG_RUNTIME_DIR' bench/dispatch.py $(ARGS)

.PHONY: bench-live
bench-live: $(venv)/.dev ## run the benchmark of live events: bench/live.py $(ARGS)
	$(bin)/python -W 'ignore:XDG_RUNTIME_DIR' bench/live.py $(ARGS)

.PHONY: profile
profile: $(venv)/.dev ## show where calls and the dispatcher spend their time: python -m proof.profile $(ARGS)
	$(bin)/python -W 'ignore:XDG_RUNTIME_DIR' -m proof.profile $(ARGS)

.PHONY: bench-pages
bench-pages: $(venv)/.dev ## time and weigh the pages of a person with 10,000 invitations: bench/pages.py $(ARGS)
	$(bin)/python -W 'ignore:XDG_RUNTIME_DIR' bench/pages.py $(ARGS)

.PHONY: words
words: $(venv)/.dev ## take new words of the pages into the Chinese catalogue, and out what is used no more
	$(bin)/python -m tests.unit.words

.PHONY: client
client: $(venv)/.dev ## write the client's surface for threads from the one for asyncio
	$(bin)/python -m tests.unit.client_surface

.PHONY: docs
docs: $(venv)/.dev ## build the documentation site, strictly: site/index.html
	$(bin)/python -m docs.site.build

.PHONY: reference
reference: $(venv)/.dev ## write the API reference and the return codes anew, from what the server answers
	$(bin)/python -m tests.documentation.reference

.PHONY: screenshots
screenshots: $(venv)/.dev ## take the pictures of the pages anew: docs/images/
	$(bin)/python -m tests.browser.screenshots

.PHONY: lock
lock: .venv-lock/.done ## write the requirement files anew from pyproject.toml (UPGRADE=1 takes the newest versions)
	$(compile) requirements/runtime.txt pyproject.toml
	$(compile) requirements/dev.txt --extra dev --constraint requirements/runtime.txt pyproject.toml
	$(compile) requirements/build.txt --group build
	$(compile) requirements/lock.txt --group lock
	@! grep -nE '^-|://' requirements/*.txt || { echo 'a requirement file names an index or an address' >&2; exit 1; }

.PHONY: clean
clean: ## remove .venv, caches and built files
	rm -rf .venv .venv-lock .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# $(call new_venv,DIRECTORY): an empty environment there, of the first of $(PYTHON) that is new enough.
define new_venv
@for python in $(PYTHON); do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	echo "$$("$$python" --version) -> $(1)"; \
	exec "$$python" -m venv --clear $(1); \
done; \
echo 'Huiyao needs Python 3.11 or newer; none of these is: $(PYTHON). Try make PYTHON=/path/to/python3' >&2; exit 1
endef

# What Huiyao needs to run, and nothing else. The build backend stays out of the environment's own packages.
$(venv)/.runtime: requirements/runtime.txt requirements/build.txt
	$(call new_venv,$(venv))
	$(bin)/python $(pip_install) --require-hashes -r requirements/runtime.txt
	$(bin)/python $(pip_install) --require-hashes -r requirements/build.txt --target $(venv)/build
	@touch $@

# Huiyao itself, editable: again when its metadata change.
$(venv)/.huiyao: $(venv)/.runtime pyproject.toml src/huiyao/__init__.py
	PYTHONPATH="$(CURDIR)/$(venv)/build" $(bin)/python $(pip_install) --no-build-isolation --no-deps --editable .
	@touch $@

$(venv)/.dev: $(venv)/.huiyao requirements/dev.txt
	$(bin)/python $(pip_install) --require-hashes -r requirements/dev.txt
	@touch $@

.venv-lock/.done: requirements/lock.txt
	$(call new_venv,.venv-lock)
	.venv-lock/bin/python $(pip_install) --require-hashes -r requirements/lock.txt
	@touch $@
