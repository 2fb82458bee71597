# The front door. `make help` lists the targets; each installs what it needs.

SHELL := /bin/bash
CARGO ?= cargo
NODULE := target/release/nodule
XTASK := target/release/xtask
COMPONENT := target/socialhub.wasm
GUEST := wasm32-unknown-unknown
CASES := host-test/cases
DEMO_ITEMS := host-test/demo/adjustPoints.jsonl
# Where cargo-deny keeps the database of advisories: `cargo deny fetch` brings it.
ADVISORY_DB := $(or $(CARGO_HOME),$(HOME)/.cargo)/advisory-dbs

.DEFAULT_GOAL := help
.PHONY: help setup build component demo test test-node test-host check lint size record vendor-wit clean measure-runs

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-14s %s\n", $$1, $$2 }'

setup:
	@rustup target list --installed 2>/dev/null | grep -qx $(GUEST) || rustup target add $(GUEST)

.PHONY: programs examples check-examples
programs: setup
	$(CARGO) build --release -p nodule-cli -p socialhub-simulator -p xtask -p same-features

# By the command that every author has: what makes a component small and the same everywhere stands there.
component: programs
	@$(NODULE) build node --profile component --output $(COMPONENT) >/dev/null

# Those in Rust.
EXAMPLE_NODES := $(patsubst examples/%/nodule.toml,%,$(wildcard examples/*/nodule.toml))

examples: programs ## Build the components of the examples in Rust, such as target/stripe.wasm
	@for name in $(EXAMPLE_NODES); do $(NODULE) build examples/$$name --profile component --output target/$$name.wasm >/dev/null || exit 1; done

check-examples: examples ## Replay the recorded cases of the examples in Rust, and compare what their pages say (UPDATE=1 writes them)
	@for name in $(EXAMPLE_NODES); do $(NODULE) check target/$$name.wasm examples/$$name/cases || exit 1; done
	@python3 -B examples/page.py $(if $(UPDATE),--update)

build: component ## Leave target/release/nodule, target/release/simulator and target/socialhub.wasm

demo: build ## Describe the node and run an operation on recordings, without network or credential
	@host-test/demo/demo $(NODULE) $(COMPONENT)

test: build test-node test-host check-examples ## Pass all tests that need no heavy install

# With debug assertions and overflow checks: none of it links Wasmtime.
test-node:
	$(CARGO) test --quiet -p socialhub-node -p nodule-core -p nodule-sdk -p socialhub-simulator -p xtask $(EXAMPLE_NODES:%=-p %-node) \
		--features nodule-sdk/cases,nodule-sdk/sign,nodule-sdk/xml

test-host: build hostile-guests
	$(CARGO) test --quiet --release -p nodule-host -p nodule-cli -p host-test

# No part of `make test`: it compiles the three crates a second time. What it finds nearly always, a file that is not packed, a test
# of `make test` finds from the lists.
.PHONY: test-packages
test-packages: build ## Compile the published crates from what is packed of them
	host-test/packages

check: build ## Replay the recorded cases
	$(NODULE) check $(COMPONENT) $(CASES)

lint: programs ## Formatting, clippy with the workspace's lints, documentation, dependencies, advisories
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml -p nodule-fuzz --check
	$(CARGO) fmt --manifest-path host-test/embedder/Cargo.toml --check
	@$(CARGO) metadata --locked --format-version 1 --manifest-path host-test/embedder/Cargo.toml >/dev/null
	$(CARGO) clippy --quiet --release --workspace --all-targets -- -D warnings
	$(CARGO) clippy --quiet -p socialhub-node --target $(GUEST) -- -D warnings
	@if command -v c++ >/dev/null; then CARGO_TARGET_DIR=fuzz/target $(CARGO) clippy --quiet --manifest-path fuzz/Cargo.toml -- -D warnings; \
		else echo "no C++ compiler, which the fuzz targets need: they were not checked"; fi
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --release --workspace --no-deps
	@if command -v cargo-deny >/dev/null; then $(CARGO) fetch --quiet --locked && $(CARGO) deny --offline check --hide-inclusion-graph bans licenses sources; \
		else echo "cargo-deny is not installed: dependencies were not checked"; fi
	@$(XTASK) advisories
	@if command -v cargo-deny >/dev/null && [ -d "$(ADVISORY_DB)" ]; then $(CARGO) deny --offline check --hide-inclusion-graph advisories; \
		else echo "no cargo-deny with a database in $(ADVISORY_DB): what was published since was not looked for"; fi

size: component ## Print the size of the component and what it is made of
	@$(XTASK) size target/$(GUEST)/component/socialhub.wasm $(COMPONENT)

record: build ## Record the cases again, against the simulator
	$(CARGO) run --quiet --release -p host-test --bin record

vendor-wit: programs ## Copy WASI's interfaces from the crate that implements them, in the version of Cargo.lock
	$(XTASK) vendor-wit host/wit/deps

clean: ## Remove what was built
	$(CARGO) clean

# n8n: the package that runs a component there.

N8N_PACKAGES := n8n/build
# A node's folder, and its component below target.
N8N_NODES := node:socialhub $(foreach name,$(EXAMPLE_NODES),examples/$(name):$(name))

.PHONY: n8n n8n-runtime test-n8n-host test-n8n test-n8n-queue measure-n8n

# Not `npm ci`: npm leaves the packages of other platforms out of the lock, and then misses them.
n8n/node_modules: n8n/package-lock.json
	@cd n8n && npm install --no-save --no-audit --no-fund && touch node_modules

n8n: build examples ## Pack SocialHub and the examples for n8n, into n8n/build: make n8n BINARIES=…
	@rm -rf $(N8N_PACKAGES) && mkdir -p $(N8N_PACKAGES)
	@for node in $(N8N_NODES); do $(NODULE) pack n8n "$${node%:*}" --component "target/$${node#*:}.wasm" --output $(N8N_PACKAGES) \
		$(addprefix --binaries ,$(BINARIES)) || exit 1; done

n8n-runtime: n8n/node_modules ## Bundle n8n/src into the file that `nodule pack n8n` puts into each package
	node n8n/scripts/runtime.mjs

test-n8n-host: build hostile-guests n8n n8n/node_modules ## Test and lint the package for n8n, without n8n
	cargo build --quiet --release -p nodule-cli -p socialhub-simulator -p host-test --bin services
	cd n8n && npx tsc && npx vitest run
	node n8n/scripts/sources.mjs $(N8N_PACKAGES)/sources $(N8N_PACKAGES)/*.tgz
	n8n/node_modules/.bin/eslint --config n8n/eslint.config.mjs n8n/src $(N8N_PACKAGES)/sources clients/node/src

test-n8n: build hostile-guests n8n host-test/oauth2/node_modules ## Run real workflows in a real n8n, installed into the cache the first time (3 GB)
	n8n/scripts/install-n8n
	node --test n8n/e2e/*.test.mjs

test-n8n-queue: build n8n/node_modules ## Send 200 executions through n8n's queue mode, kill a worker half-way, account for each
	n8n/scripts/install-n8n --queue
	node --test n8n/e2e/queue.mjs

measure-n8n: build n8n/node_modules ## Measure the node in a real n8n beside a stand-in for the vendor's: speed, memory, event loop
	n8n/scripts/install-n8n
	node n8n/e2e/measure.mjs

# No part of `make test`: it installs a provider, and uses Chromium where that is.
.PHONY: test-oauth2

host-test/oauth2/node_modules: host-test/oauth2/package-lock.json
	@cd host-test/oauth2 && npm ci --no-audit --no-fund && touch node_modules

test-oauth2: build hostile-guests host-test/oauth2/node_modules ## Log in at a certified OAuth 2.0 provider on this machine, with Chromium where it is
	node --test host-test/oauth2/oauth2.test.mjs

# Clients of `nodule serve`

.PHONY: test-clients test-client-python test-client-node measure-clients

test-clients: build test-client-python test-client-node ## Test the clients for other languages against the host and a simulator

test-client-python:
	python3 -B -m unittest discover -t clients/python -s clients/python/tests

clients/node/node_modules: clients/node/package-lock.json
	@cd clients/node && npm install --no-save --no-audit --no-fund && touch node_modules

test-client-node: clients/node/node_modules
	cd clients/node && npx tsc && node --test test/*.test.mjs

measure-clients: build clients/node/node_modules ## Measure the clients beside `nodule run`
	cd clients/node && npx tsc
	python3 -B clients/bench $(NODULE) target/release/simulator $(COMPONENT)

# Binaries that need nothing of the system: a quarter of an hour for each platform, and no part of `make test`.
.PHONY: binaries

binaries: ## Build static binaries for Linux, x64 and arm64, into target/binaries: make binaries PLATFORMS="linux-x64"
	cli/binaries $(PLATFORMS)

# An engine outside of this workspace, with an SQLite of its own: what the library asks of those who use it.
.PHONY: test-embedder

test-embedder: build ## Build and run an engine that has sqlx and SQLite beside the library: it compiles Wasmtime for itself
	CARGO_TARGET_DIR=target/embedder $(CARGO) test --locked --quiet --release --manifest-path host-test/embedder/Cargo.toml

# Hosts: the component in hosts that know nothing of Nodule.
.PHONY: test-hosts test-celery

# UPDATE=1 writes docs/hosts.md, rates and all; otherwise the page is compared, but for the rates.
test-hosts: build hostile-guests ## Run the component in Python, JavaScript, Wasmtime's command line and bare Rust
	$(CARGO) build --quiet --release -p bare-host
	cache="$$(foreign-hosts/setup)" && python3 -B foreign-hosts/conformance.py --cache "$$cache" --target target --docs docs/hosts.md $(if $(UPDATE),--update)

test-celery: build ## Send 10,000 items through two Celery workers, kill one half-way, account for every item
	cache="$$(foreign-hosts/setup --redis)" && "$$cache/python/bin/python" -B foreign-hosts/celery/test.py --target target

# Tools of languages are installed by examples/setup, a server by examples/NAME/setup. What is not installed is left out, and said so.
.PHONY: test-examples

test-examples: build check-examples ## Build and test the examples, with the languages' tools and the servers that are installed: make test-examples EXAMPLES="python"
	python3 -B examples/test.py $(EXAMPLES)

# Trust: hostile nodes, fuzzing

HOSTILE := host-test/guests
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := policy har description redact url node
.PHONY: hostile-guests test-hostile test-mutations fuzz

hostile-guests: programs
	$(CARGO) build --quiet --release --manifest-path $(HOSTILE)/Cargo.toml --workspace --target $(GUEST) --target-dir target/hostile-build --examples
	$(XTASK) components target/hostile-build/$(GUEST)/release/examples -o target/hostile
	$(XTASK) every-import host/wit -o target/hostile/every_import.wasm

test-hostile: build hostile-guests ## Run the rows of the attack list by number and print a table
	$(CARGO) test --quiet --release -p nodule-host -p nodule-cli -p host-test --test hostile -- $(ROWS)

# Needs a nightly toolchain and a C++ compiler; no part of `make test`. What is found in a run is kept in fuzz/corpus.
fuzz: export CARGO_TARGET_DIR = $(CURDIR)/fuzz/target
fuzz: ## Fuzz what reads foreign input, a minute for each target: make fuzz FUZZ_SECONDS=600
	@command -v cargo-fuzz >/dev/null || $(CARGO) +nightly install --locked cargo-fuzz
	$(CARGO) clippy --quiet --manifest-path fuzz/Cargo.toml -p nodule-fuzz -- -D warnings
	@for target in $(FUZZ_TARGETS); do echo "fuzz: $$target"; mkdir -p fuzz/corpus/$$target; \
		$(CARGO) +nightly fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- -max_total_time=$(FUZZ_SECONDS) || exit 1; done

# Each takes its protection out of a copy of the tree, and sees its row fail.
test-mutations: build hostile-guests ## Take each protection out and see its row fail: make test-mutations ROWS="7 18.2"
	python3 -B host-test/mutations/check.py --target target $(ROWS)

# Runs

measure-runs: build ## Measure memory and speed of long runs, with a journal and without
	bench/runs $(NODULE) target/release/simulator $(COMPONENT)

# Benchmarks: no part of `make test`, where nothing depends on a clock.
.PHONY: bench profile

bench: build hostile-guests ## Measure what a node costs beside plain Rust (QUICK=1 for a glance, ONLY="live size" for some)
	$(CARGO) build --quiet --release -p nodule-bench
	target/release/bench run $(addprefix --only ,$(ONLY)) \
		$(if $(QUICK),--quick --output target/bench-quick.json,$(if $(ONLY),,--output bench/results.json))
	$(if $(QUICK)$(ONLY),,target/release/bench publish bench/results.json)

profile: build ## Show by whose code and which function an item takes longer than in plain Rust, by perf (UNDER_WAY=16)
	@command -v perf >/dev/null || { echo "perf is not installed: it belongs to the system's kernel tools"; exit 1; }
	$(CARGO) build --quiet --release -p nodule-bench
	python3 -B bench/profile.py $(UNDER_WAY)
