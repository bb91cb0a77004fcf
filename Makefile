# Every task of the project. `make` alone lists them.
# Needs git, make, Python 3.11 or newer with pip; everything else goes into .venv and .venvs.

# The first interpreter here that is new enough; or say it yourself: make PYTHON=/path/to/python3.12 demo
ifndef PYTHON
PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; exit; fi; \
	done; echo python3)
endif

ARGS ?=
V := .venv/bin/python

.DELETE_ON_ERROR:
.PHONY: help demo test unit programs lint types layers docs generated regenerate protobufs bench codegen surface interop webinterop browser peers h2spec conformance security fuzz chaos overload soak simulate format wheel clean

help: ## list the tasks
	@echo "make TASK, where TASK is one of:"
	@sed -n 's/^\([a-z0-9]*\):[^#]*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '%-11s %s\n' "$$name" "$$text"; done

demo: .venv/.stamp ## generate, start and call the examples: hello (sync, asyncio), prices, upload, chat, codecs
	@$(V) tools/demo.py $(ARGS)

test: lint types layers docs generated .venv/.dev-stamp .venvs/.protobufs-stamp ## everything CI runs: checks, then tests on each Python found
	@$(V) tools/run_tests.py $(ARGS)

unit: .venv/.dev-stamp ## quick tests on one Python; ARGS="tests/http2 -k settings" chooses
	@$(V) -m pytest -q $(ARGS)

programs: .venv/.dev-stamp ## other people's programs and libraries, from PyPI, on Clarion
	@$(V) tools/run_tests.py --programs $(ARGS)

lint: .venv/.dev-stamp ## ruff: rules and formatting
	@$(V) -m ruff check .
	@$(V) -m ruff format --check .

types: .venv/.dev-stamp ## mypy, strict
	@$(V) -m mypy

layers: .venv/.dev-stamp ## each layer imports only from those below it; no I/O below the front ends
	@.venv/bin/lint-imports --no-logo

docs: ## links in the Markdown files lead somewhere
	@$(PYTHON) tools/check_links.py

generated: .venv/.stamp ## generated code in this repository is what would be generated now
	@$(V) tools/regenerate.py --check

regenerate: .venv/.stamp ## generate anew what `make generated` checks
	@$(V) tools/regenerate.py

protobufs: .venv/.dev-stamp .venvs/.protobufs-stamp ## generated code on three major releases of protobuf
	@$(V) -m pytest tests/codegen/test_protobuf_releases.py $(ARGS)

bench: .venv/.bench-stamp ## Clarion against its peers in one run: table and chart in bench/results
	@$(V) bench/run.py $(ARGS)

codegen: .venv/.dev-stamp ## time clarion generate, and importing, against grpcio-tools with mypy-protobuf
	@$(V) bench/generate.py $(ARGS)

surface: .venv/.dev-stamp ## compare the API with grpcio's, name by name: docs/api-comparison.md
	@$(V) tools/compare_surface.py $(ARGS)

interop: .venv/.dev-stamp ## gRPC's interop cases with every peer that can be built: docs/interop.md; ARGS="--peers go --quick"
	@$(V) interop/run.py $(ARGS)

webinterop: .venv/.dev-stamp ## gRPC-Web and Connect with every peer that can be built, and through Envoy: docs/interop-web.md; ARGS="--peers buf"
	@$(V) interop/run_web.py $(ARGS)

browser: .venv/.dev-stamp ## examples/browser in headless Chromium, all combinations; needs Node, npm, Chromium; screenshots in build/browser
	@CLARION_BROWSER=required CLARION_BROWSER_SHOTS=build/browser $(V) -m pytest -q tests/browser $(ARGS)

peers: .venv/.dev-stamp ## tests against grpcio and grpc-js where present
	@$(V) -m pytest tests/peers $(ARGS)

h2spec: .venv/.stamp ## h2spec, strict, against both servers, plain and TLS; needs Go
	@$(V) conformance/h2spec/run.py $(ARGS)

conformance: .venv/.dev-stamp ## connectrpc's suite against servers and clients, all protocols: conformance/connect; needs Go; ARGS="--quick"
	@$(V) conformance/connect/run.py $(ARGS)

security: .venv/.security-stamp ## bandit over the package; authorization policies against grpc-go's engine, where there is Go
	@$(V) -m bandit --quiet --configfile pyproject.toml --recursive src/clarion
	@$(V) conformance/authz/run.py

fuzz: .venv/.fuzz-stamp ## fuzz every target for 20 s; ARGS="--targets framing,heads --seconds 300" chooses
	@nice -n 19 $(V) fuzz/run.py $(ARGS)

chaos: .venv/.dev-stamp ## every pattern for 60 s through a network that misbehaves, and servers that are killed
	@CLARION_CHAOS_SECONDS=60 nice -n 10 $(V) -m pytest -q tests/chaos $(ARGS)

overload: .venv/.dev-stamp ## ten times the load, 1,000 slow readers, slow headers, idle floods: memory and service
	@CLARION_OVERLOAD=full $(V) -m pytest -q tests/overload $(ARGS)

soak: .venv/.dev-stamp ## half an hour of calls, and what the processes hold: soak/results; ARGS="--minutes 2"
	@$(V) -m soak $(ARGS)

simulate: .venv/.stamp ## policies, retries and backoff with thousands of simulated servers: docs/simulation.md
	@PYTHONPATH=src $(V) -m simulation $(ARGS)

format: .venv/.dev-stamp ## let ruff fix and format the code
	@$(V) -m ruff check --fix .
	@$(V) -m ruff format .

wheel: .venv/.stamp ## build the pure-Python wheel into dist
	@$(V) -m pip wheel --quiet --no-deps --wheel-dir dist .
	@ls dist/*.whl

clean: ## remove environments, caches, generated code and builds
	rm -rf .venv .venvs .fuzz dist build .coverage .coverage.* htmlcov
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find examples \( -name '*_pb2.py' -o -name '*_pb2.pyi' -o -name '*_pb2_grpc.py*' -o -name '*_pb.py' \) -delete

.venv/.stamp: pyproject.toml tools/venvs.py
	@$(PYTHON) tools/venvs.py .venv --extras auth,protoc,uvloop,zstd --stamp $@

.venv/.dev-stamp: .venv/.stamp
	@$(PYTHON) tools/venvs.py .venv --groups test,lint --optional peers,protos,builds,errors,codecs,asgi,frameworks,typing,webpeers --stamp $@

.venvs/.protobufs-stamp: tools/protobufs.py | .venv/.stamp
	@$(V) tools/protobufs.py --stamp $@

.venv/.fuzz-stamp: .venv/.dev-stamp
	@$(PYTHON) tools/venvs.py .venv --optional fuzz --stamp $@

.venv/.security-stamp: .venv/.dev-stamp
	@$(PYTHON) tools/venvs.py .venv --optional security --stamp $@

.venv/.bench-stamp: .venv/.stamp
	@$(PYTHON) tools/venvs.py .venv --optional bench --stamp $@
