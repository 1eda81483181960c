# One word each, from a fresh clone. Needs Python 3.11+, make and sh.
#   make run PORT=9000 VAR_DIR=/srv/voiceops PYTHON=python3.12

PYTHON ?= python3
VENV = .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help run test lint format audit bench chaos deaths soak css manage app-tools dev-tools

help:
	@echo "make run      start everything; PORT, HOST, VAR_DIR, PYTHON may be given"
	@echo "make test     every check and every test; ONLY='sqlite flow' for some groups"
	@echo "make lint     style, imports and types"
	@echo "make format   let ruff format the code"
	@echo "make audit    advisories about what is pinned, where they can be reached"
	@echo "make bench    measure against the budgets"
	@echo "make chaos    10,000 due calls while processes are killed; ARGS='--seed 7 sqlite'"
	@echo "make deaths   two of everything behind the front; each of them dies, twice"
	@echo "make soak     ten minutes of calls, webhooks and schedules: does anything grow?"
	@echo "make css      compile the stylesheet"
	@echo "make manage   manage.py beside a running stack: ARGS='createsuperuser'"

run: app-tools
	@exec $(VENV) -m voiceops.run

test: dev-tools
	@exec $(VENV) -m scripts.check $(ONLY)

lint: dev-tools
	@exec $(VENV) -m scripts.check style imports types

format: dev-tools
	@$(VENV) -m ruff check --fix . && $(VENV) -m ruff format .

audit: dev-tools
	@exec $(VENV) -m scripts.audit

bench: dev-tools
	@exec $(VENV) -m scripts.bench $(ARGS)

chaos: dev-tools
	@exec $(VENV) -m scripts.chaos $(ARGS)

deaths: dev-tools
	@exec $(VENV) -m pytest -m long tests/flow/test_deaths.py

soak: dev-tools
	@exec $(VENV) -m scripts.soak

css: dev-tools
	@exec $(VENV) -m scripts.build_css

manage: app-tools
	@exec $(VENV) -m voiceops.run -- $(VENV) manage.py $(ARGS)

app-tools:
	@$(PYTHON) scripts/bootstrap.py requirements.txt

dev-tools:
	@$(PYTHON) scripts/bootstrap.py requirements.txt requirements-dev.txt
