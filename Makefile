# Short names for what the scripts do. Nothing here needs make: the scripts can be run without it.
.PHONY: help setup demo check test fmt clean

help:
	@echo "make setup   virtual environment, packages, a browser"
	@echo "make demo    the whole product on a simulated inbox"
	@echo "make check   format, lint, types, layers and the fast tests (about eight minutes)"
	@echo "make test    everything (about twenty-five minutes)"
	@echo "make fmt     put the code into its format, mend what can be mended"
	@echo "make clean   forget caches and the virtual environment; data, logs and the saved login stay"

setup:
	@sh scripts/setup.sh --dev

demo:
	@sh scripts/demo.sh

check:
	@sh scripts/test.sh --quick

test:
	@sh scripts/test.sh

fmt:
	@.venv/bin/python -m ruff check --quiet --fix .
	@.venv/bin/python -m ruff format .

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache test-results
