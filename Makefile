# Targets for a fresh Debian or Ubuntu with Swift 6.2 or later; elsewhere install SQLite (with
# headers), libstemmer (Snowball), hiredis and Python 3 first. One build configuration serves run and test.
SHELL := /bin/bash
export MNEME_HOME ?= $(HOME)/.mneme
# What a crash prints ends with the stack, so that the end of a log tells where it was.
export SWIFT_BACKTRACE ?= enable=yes,color=no,registers=none,images=none

SWIFT_BUILD := swift build -c release --build-tests
BIN := .build/release/mneme
# The program that needs no Swift to run: what is installed and packed.
STATIC := .build-static/release/mneme
PREFIX ?= /usr/local
VENV := .build/venv

# Caps of the instruction sets (MNEME_CPU) under which the arithmetic is tested: all give the same bits. A cap above what the
# machine has tests all that it has.
ifneq ($(filter aarch64 arm64,$(shell uname -m)),)
CAPS := portable neon dotprod i8mm amx-emulated
TEST_CAPS := neon amx-emulated
else
CAPS := portable avx2 avx512 vnni amx-emulated
TEST_CAPS := avx2 amx-emulated
endif
ARITHMETIC := --filter 'MnemeNumericsTests' --filter 'MnemeEngineTests.(DecoderTests|ModelFileTests)'

.PHONY: help demo program test clients build static install dist dist-test lint consumer docs bench model language-model setup tsan arm64 processors clean

help:
	@echo "make demo [FILE=…]  import a conversation, ask questions (installs, builds and fetches what is needed)"
	@echo "make test           all tests, the Python clients' among them"
	@echo "make clients        the clients' tests alone, two at once"
	@echo "make build          $(BIN)"
	@echo "make install        $(STATIC), which needs no Swift, with man pages and completions, below PREFIX ($(PREFIX))"
	@echo "make dist           a tarball and a Debian package of it in .build-static/dist; make dist-test tries them without Swift"
	@echo "make model          fetch the embedding model into $(MNEME_HOME)/models"
	@echo "make language-model fetch SmolLM2-135M-Instruct there (93 MB)"
	@echo "make bench          recall quality and speed on this machine"
	@echo "make lint           formatting, warnings of C, imports and dependencies, sizes and comments, paths that the docs name"
	@echo "make tsan           tests under the thread sanitizer (a debug build of its own)"
	@echo "make processors     all Swift tests under each cap of the instruction sets: $(CAPS) (long)"
	@echo "make arm64          arm64's kernels under an emulator: the same bits as here"
	@echo "make consumer       a package that depends on Mneme for text memory alone builds, and answers"
	@echo "make docs           DocC pages of each library in .build/docs; warnings are errors"

setup:
	@scripts/setup.sh

model: program
	@$(BIN) pull minilm

language-model: program
	@$(BIN) pull smollm2

# The program alone: a first look needs no tests.
program: setup
	swift build -c release --product mneme

static:
	@scripts/build-static.sh

install: static
	@scripts/dist.sh tree "$(DESTDIR)$(PREFIX)" $(STATIC)

dist: static
	@scripts/dist.sh pack $(STATIC)

dist-test: dist
	@scripts/dist-test.sh

build: setup
	$(SWIFT_BUILD)

demo: model
	@$(BIN) demo $(FILE)

test: build model language-model $(VENV)/.done $(VENV)-openai2/.done
	@scripts/setup.sh --tests
	@scripts/postgres.sh fetch
	@# Servers answer on the threads that tests of models keep busy: they are tested by themselves.
	swift test -c release --skip-build --skip MnemeServerTests
	swift test -c release --skip-build --filter MnemeServerTests
	for cap in $(TEST_CAPS); do MNEME_CPU=$$cap swift test -c release --skip-build $(ARITHMETIC) || exit 1; done
	$(MAKE) clients

# The clients' tests, two at once: they wait for servers and for each other more than they work. What one prints comes when it
# has ended; all run, whichever fails.
CLIENTS := run settings embedders proxy postgres pooler postgres_faults backups remote viewer described frameworks \
    frameworks_openai2
clients:
	@$(MAKE) --no-print-directory --keep-going --jobs 2 --output-sync=target $(CLIENTS:%=client-%)
client-postgres_faults: OPTIONS := --rounds 12 --seconds 30
client-frameworks_openai2: SUFFIX := -openai2
$(CLIENTS:%=client-%): client-%: $(VENV)/.done $(VENV)-openai2/.done
	$(VENV)$(SUFFIX)/bin/python Tests/clients/$*.py $(BIN) $(OPTIONS)

# The second holds frameworks that want an older client of OpenAI's than the others.
$(VENV)/.done $(VENV)-openai2/.done: $(VENV)%/.done: Tests/clients/requirements%.txt Tests/clients/constraints%.txt
	python3 -m venv $(@D)
	$(@D)/bin/pip install -q --disable-pip-version-check -r $<
	touch $@

lint: setup
	@twins="$$(git ls-files | sed -E ':a;p;s|/[^/]*$$||;ta' | sort -u | tr A-Z a-z | sort | uniq -d)"; \
	[ -z "$$twins" ] || { echo "These paths differ by case only, and macOS and Windows fold them into one: $$twins" >&2; exit 1; }
	python3 scripts/check_paths.py
	python3 scripts/check_imports.py
	python3 scripts/check_house.py
	@# Warnings of Swift are errors of the build itself, see Package.swift.
	clang="$$(scripts/swift-clang.sh)" || exit 1; for file in $$(git ls-files 'Sources/C*.c'); do \
	    "$$clang" -fsyntax-only -Wall -Wextra -Werror -I"$$(dirname "$$file")/include" -ISources/CMnemeKernels/include "$$file" || exit 1; done
	swift format lint --strict --recursive Sources Tests Snippets Package.swift

tsan: model language-model
	swift build --build-tests --sanitize=thread --scratch-path .build-tsan
	TSAN_OPTIONS=suppressions=scripts/tsan-suppressions.txt swift test --skip-build --sanitize=thread --scratch-path .build-tsan

processors: build model language-model
	@scripts/setup.sh --tests
	for cap in $(CAPS); do echo "MNEME_CPU=$$cap"; MNEME_CPU=$$cap swift test -c release --skip-build || exit 1; done

arm64:
	@scripts/test-arm64.sh

consumer: setup
	@scripts/consumer.sh

docs: build
	@scripts/docs.sh

bench: model language-model
	$(BIN) bench embed
	$(BIN) bench store
	$(BIN) bench llm smollm2
	@if [ -n "$(FILE)" ]; then $(BIN) bench locomo $(FILE); else echo "make bench FILE=locomo.json measures recall, too"; fi

clean:
	rm -rf .build .build-tsan .build-static
