# The two commands to know: `make run` and `make test`. `make` alone lists all.

CARGO ?= cargo
BUILT := $(or $(CARGO_TARGET_DIR),target)
BINARY := $(BUILT)/release/continuous-producer
SANDBOX := $(BUILT)/release/sandbox

# What `make static` builds for.
TARGET ?= x86_64-unknown-linux-musl

# How many histories of a cluster `make test` and `make simulate` simulate.
HISTORIES ?= 10000

# For how long `make fuzz` fuzzes, all targets together.
FUZZ_SECONDS ?= 120
# An input longer than this teaches nothing new; one that takes so much memory or time is a finding.
FUZZ_LIMITS := -max_len=4096 -rss_limit_mb=1024 -timeout=20 -print_final_stats=1 -verbosity=0

# Which Kafka `make test-kafka`, `make chaos` and `make soak` start: the newest, or RELEASE=3.9.
KAFKA_RELEASE = $(if $(RELEASE),--release $(RELEASE))

# For how long `make soak` soaks; the first fault strikes after one minute.
SOAK_MINUTES ?= 30

# How often `make bench` and `make bench-kafka` run each producer, and for how long.
BENCH_ROUNDS ?= 3
BENCH_SECONDS ?= 3

# OFFLINE=1: cargo does not even try to reach a network. All that it needs is in what `make vendor` writes.
ifdef OFFLINE
export CARGO_NET_OFFLINE := true
endif

.DEFAULT_GOAL := help
.PHONY: help run build test simulate planted test-deploy test-kafka chaos soak bench bench-kafka bench-growth bench-guard manual fuzz lint doc static

help: ## List what make can do here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# The program itself says whether a cluster is named: flags, environment and .env are its business. A setting that nobody
# gave has `-` for its source; settings that are wrong are the program's to refuse. `exec` leaves no shell that could end
# before the program has said its last lines.
run: build ## Build and run: against the cluster of .env or the environment, else against a sandbox
	@config=$$($(BINARY) --print-config 2>/dev/null) || exec $(BINARY); \
	case "$$(echo "$$config" | awk '$$1 == "KAFKA_BOOTSTRAP_SERVERS" { print $$NF }')" in \
	-) exec $(SANDBOX) run -- $(BINARY) ;; \
	*) exec $(BINARY) ;; \
	esac

build: ## Build the program and the sandbox, optimised
	@$(CARGO) build --release --locked -p continuous-producer -p sandbox

test: ## Test all that needs nothing but the Rust toolchain
	@$(CARGO) test --workspace --locked
	@$(MAKE) --no-print-directory simulate

simulate: ## Simulate HISTORIES=10000 histories of a cluster, or the one of SEED=… with all that happens in it
	@SIMULATION_SEED=$(SEED) SIMULATION_HISTORIES=$(HISTORIES) SIMULATION_FIRST_SEED=$(FIRST_SEED) \
	  $(CARGO) test --profile simulation --locked --test simulation -- --nocapture

planted: ## Plant defects in a copy of the client, one by one, and demand that the simulation finds each (Python 3)
	@CARGO=$(CARGO) python3 -B tests/simulation/planted/main.py

test-deploy: build ## Check deploy/ by its own tools, all or CHECKS="words of names" (root and systemd, Python 3, Go, package registries)
	@tests/deploy/run $(CHECKS)

test-kafka: build ## Test against real Apache Kafka and a registry, all or CASES="words of names" (Java 17, Maven, Python 3, package registries)
	@tests/kafka/run cases $(KAFKA_RELEASE) $(CASES)

.PHONY: test-page
test-page: build ## Test the page of a run in a headless Chromium; pictures in target/page (Chromium, Python 3)
	@tests/page/run

chaos: build ## Kill, freeze, move and cut off real brokers under load, all faults or FAULTS="kill freeze" (as test-kafka; root for networks)
	@tests/kafka/run chaos $(KAFKA_RELEASE) $(CHAOS_OPTIONS) $(FAULTS)

soak: build ## Soak for SOAK_MINUTES=30: real Kafka, 20,000 messages a second, a fault a minute; memory and threads sampled
	@tests/kafka/run soak $(KAFKA_RELEASE) --minutes $(SOAK_MINUTES)

bench: build ## Measure beside the machine's limit and other producers, or CONTESTANTS="ours librdkafka" (PUBLISH=yes: into docs)
	@CARGO=$(CARGO) benches/run sandbox --rounds $(BENCH_ROUNDS) --seconds $(BENCH_SECONDS) $(if $(PUBLISH),--publish) $(CONTESTANTS)

bench-kafka: build ## The same on a real Apache Kafka (as test-kafka)
	@CARGO=$(CARGO) benches/run kafka --rounds $(BENCH_ROUNDS) --seconds $(BENCH_SECONDS) $(if $(PUBLISH),--publish) $(CONTESTANTS)

bench-growth: build ## How cost grows with partitions, brokers, width, codecs, TLS, acks (PUBLISH=yes: into docs)
	@CARGO=$(CARGO) benches/run growth --rounds $(BENCH_ROUNDS) $(if $(PUBLISH),--publish)

bench-guard: build ## What a message costs in instructions and allocations must be what is recorded (valgrind, RECORD=yes: record it)
	@CARGO=$(CARGO) benches/run guard $(if $(RECORD),--record)

manual: build ## Check manual page and completions, all or CHECKS="words of names" (Python 3; man, mandoc, bash, zsh, fish as there are)
	@tests/manual/run $(CHECKS)

.PHONY: vendor dist test-dist
vendor: ## Write one archive with all sources and crates, from which `make build OFFLINE=1` builds without a network (Python 3)
	@CARGO=$(CARGO) packaging/run vendor

dist: static ## Make what is handed out: archive with licences, manual page, completions; bill of materials; SHA256SUMS (Python 3)
	@CARGO=$(CARGO) packaging/run dist --target $(TARGET) --binary $(BUILT)/$(TARGET)/release/continuous-producer

test-dist: ## Check archives, bill of materials, image, workflows, oldest Rust, all or CHECKS="words of names" (root, Python 3, Go, package registries)
	@tests/packaging/run $(CHECKS)

# Built first, so that building takes nothing of the time. What a target finds is an input that fails it again: cargo fuzz
# says how to run it.
fuzz: ## Fuzz what reads a peer's bytes, FUZZ_SECONDS in all (nightly Rust, cargo-fuzz, a C++ compiler)
	@$(CARGO) +nightly fuzz --version >/dev/null 2>&1 \
	  || { echo 'make fuzz: needs nightly Rust and cargo-fuzz. Install them: rustup toolchain install nightly; cargo install --locked cargo-fuzz' >&2; exit 1; }
	@$(CARGO) +nightly fuzz build
	@targets=$$($(CARGO) +nightly fuzz list) || exit; \
	count=$$(echo "$$targets" | wc -w); \
	seconds=$$((($(FUZZ_SECONDS) + count - 1) / count)); \
	for target in $$targets; do \
	  echo "fuzzing $$target for $$seconds s"; \
	  $(CARGO) +nightly fuzz run "$$target" -- -max_total_time=$$seconds $(FUZZ_LIMITS) \
	    || { echo "make fuzz: $$target failed; to see it again: the command above, with cargo +nightly" >&2; exit 1; }; \
	done

lint: ## Check format, clippy, documentation, dependencies
	@$(CARGO) fmt --all --check
	@$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	@$(CARGO) fmt --manifest-path benches/Cargo.toml --check
	@$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --document-private-items --locked
	@if $(CARGO) deny --version >/dev/null 2>&1; \
	then $(CARGO) deny --locked check bans licenses sources; \
	else echo 'SKIPPED: cargo deny is not installed (cargo install --locked cargo-deny)'; \
	fi

doc: ## Build the documentation, private items too
	@$(CARGO) doc --workspace --no-deps --document-private-items --locked

static: ## Build a static binary (musl) for x86-64, or for ARM by TARGET=aarch64-unknown-linux-musl; OFFLINE=1: fetch nothing
	@CARGO=$(CARGO) OFFLINE=$(OFFLINE) static/build "$(TARGET)"

.PHONY: static-twice test-static
static-twice: ## Build it twice, in different folders, once without any compiler in PATH: the bytes must be the same (git)
	@CARGO=$(CARGO) tests/static/twice "$(TARGET)"

test-static: ## Run what `make static` built alone in an empty root (sandbox of `make build`, Python 3, root or user namespaces; for ARM qemu)
	@tests/static/run "$(TARGET)"
