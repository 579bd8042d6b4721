# arpflux: the commands that people and CI use. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export DESTDIR PREFIX LIBDIR
.NOTPARALLEL:

CARGO ?= cargo

.PHONY: help demo test test-deps test-rust test-c test-python lint bench docs book header build install uninstall release clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Who tries it first waits for the quicker build; after `make build` that one is there.
demo: ## the main job: flux as captured frames, the cure, the proof (root or not)
	@$(CARGO) run --quiet $(if $(wildcard target/release/arpflux),--release) -p arpflux-cli -- demo --out target/demo

test: ## install what the tests need, run all of them (Rust, C, Python), print the counts
	@tests/support/run-all

test-deps: ## only check (as root: install) what the tests need
	@tests/support/prepare

test-rust: ## Rust tests, each binary in a fresh network namespace
	@$(CARGO) test --workspace --exclude arpflux-py --no-fail-fast

test-c: ## C programs against the library, under valgrind and the sanitizers
	@tests/support/run-c

test-python: ## build the wheel into target/venv and run pytest
	@tests/support/run-python

lint: ## formatting, clippy, docs, cargo-deny, generated files: what CI checks besides tests
	@.ci/lint

bench: ## what it costs, beside the kernel's floor and other tools; ONLY=ROW for one part
	@benches/run $(if $(ONLY),--only $(ONLY))

docs: ## the Rust documentation, warnings denied
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

book: ## the documents as a site to be searched, in target/book (pip install -r .ci/requirements.txt brings MkDocs)
	@mkdocs build --quiet --strict

header: ## write include/arpflux.h anew from the sources
	@$(CARGO) run --quiet -p xtask -- gen

build: ## the C library and the command, as they are released
	@arpflux-c/build-library

install: ## copy what `make build` built below DESTDIR and PREFIX (/usr/local); it builds nothing
	@arpflux-c/install

uninstall: ## remove what `make install` copied
	@arpflux-c/install --uninstall

release: ## all files of a release into OUT (target/dist), checked; nothing is published
	@packages/release $(OUT)

clean: ## remove everything that was built
	@$(CARGO) clean
