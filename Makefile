# The front door. `make help` lists the targets; each installs what it needs.

SHELL := /bin/bash
CARGO ?= cargo
NODULE := target/release/nodule
COMPONENT := target/socialhub.wasm
GUEST := wasm32-unknown-unknown
CASES := host-test/cases
DEMO_ITEMS := host-test/demo/adjustPoints.jsonl

.DEFAULT_GOAL := help
.PHONY: help setup build component demo test test-node test-host check lint size record vendor-wit clean measure-runs

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-14s %s\n", $$1, $$2 }'

setup:
	@rustup target list --installed 2>/dev/null | grep -qx $(GUEST) || rustup target add $(GUEST)

# Without the paths of the machine that built it: the same component everywhere.
component: export RUSTFLAGS = --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src= --remap-path-prefix=$(CURDIR)=
component: setup
	$(CARGO) build --quiet -p socialhub-node --profile component --target $(GUEST)
	@RUSTFLAGS= $(MAKE) --no-print-directory $(COMPONENT)

.PHONY: $(COMPONENT)
$(COMPONENT):
	$(CARGO) run --quiet --release -p xtask -- component target/$(GUEST)/component/socialhub.wasm -o $(COMPONENT)

build: component ## Leave target/release/nodule, target/release/simulator and target/socialhub.wasm
	$(CARGO) build --release -p nodule-cli -p simulator

demo: build ## Describe the node and run an operation on recordings, without network or credential
	@host-test/demo/demo $(NODULE) $(COMPONENT)

test: build test-node test-host ## Pass all tests that need no heavy install

# With debug assertions and overflow checks: none of it links Wasmtime.
test-node:
	$(CARGO) test --quiet -p socialhub-node -p simulator

test-host: build
	$(CARGO) test --quiet --release -p nodule -p nodule-cli -p host-test

check: build ## Replay the recorded cases
	$(NODULE) check $(COMPONENT) $(CASES)

lint: setup ## Formatting, clippy with the workspace's lints, documentation, dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --quiet --release --workspace --all-targets -- -D warnings
	$(CARGO) clippy --quiet -p socialhub-node --target $(GUEST) -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --release --workspace --no-deps
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --offline check --hide-inclusion-graph bans licenses sources; \
		else echo "cargo-deny is not installed: dependencies were not checked"; fi

size: component ## Print the size of the component and what it is made of
	@$(CARGO) run --quiet --release -p xtask -- size target/$(GUEST)/component/socialhub.wasm $(COMPONENT)

record: build ## Record the cases again, against the simulator
	$(CARGO) run --quiet --release -p host-test --bin record

vendor-wit: ## Copy WASI's interfaces from the crate that implements them, in the version of Cargo.lock
	$(CARGO) run --quiet --release -p xtask -- vendor-wit wit/deps

clean: ## Remove what was built
	$(CARGO) clean

# [HOSTS]: the component in hosts that know nothing of Nodule.
.PHONY: test-hosts test-celery

test-hosts: build ## Run the component in Python, JavaScript, Wasmtime's command line and bare Rust; write docs/hosts.md
	$(CARGO) build --quiet --release -p bare-host
	python3 -B host-test/foreign/conformance.py --cache "$$(host-test/foreign/setup)" --target target --docs docs/hosts.md

test-celery: build ## Send 10,000 items through two Celery workers, kill one half-way, account for every item
	cache="$$(host-test/foreign/setup --redis)" && "$$cache/python/bin/python" -B host-test/foreign/celery/test.py --target target

# Runs

measure-runs: build ## Measure memory and speed of long runs, with a journal and without
	host-test/measure/runs $(NODULE) target/release/simulator $(COMPONENT)
