# On processors that this machine has not: played by qemu, one of 2006, one without AVX and one with AVX2; and
# by Bochs, with AVX-512 and AVX-VNNI.

.PHONY: test-baseline test-baseline-quick qemu
EMULATE := $(PYTHON) Tests/Baseline/processors.py
qemu: .venv/ready
	@$(NEED) qemu-x86_64:qemu-user

## make test-baseline-quick: golden tokens, one hash of the logits, and which table each processor gets.
test-baseline-quick: $(LIBRARY) qemu
	$(call pytest,Tests/Baseline) -m "not slow and not machine and not arm64"

# The rooms and the files that are short enough for an emulator and start no other program. One test reads
# in /proc which signals a thread blocks, where qemu shows its own mask.
BASELINE_ROOMS := BaseTests FormatsTests QuantizationTests SamplingTests TextTests WorkersTests LoadErrorTests \
  TableTests AttentionTests CacheTests ElementaryTests ElementwiseTests QuantizeTests
BASELINE_SKIPPED := WorkersTests/signals
# qemu 7.2 reads 32 bytes where vcvtph2ps has 16, which ends at a guard page: these two have such.
BASELINE_SKIPPED_haswell := AttentionTests CacheTests
BASELINE_FILES := $(patsubst %,Tests/Boundary/test_%.py,errors lifetimes load_errors sampling structures tokens)

## make test-baseline: most of the suite on an emulated Nehalem and an emulated Haswell; takes minutes.
test-baseline: test-baseline-nehalem test-baseline-haswell
	$(PYTHON) -m pytest -q -m "not machine and not arm64" Tests/Baseline
test-baseline-%: tests-built $(LIBRARY) qemu
	$(EMULATE) $* $(BUILD)/mixtralPackageTests.xctest --testing-library swift-testing \
	  $(addprefix --filter ,$(BASELINE_ROOMS)) $(addprefix --skip ,$(BASELINE_SKIPPED) $(BASELINE_SKIPPED_$*))
	$(EMULATE) $* $(PYTHON) -m pytest -q $(BASELINE_FILES)

## make test-avx512: the tables of AVX-512 and AVX-VNNI in a machine that Bochs plays; takes half an hour.
# Golden tokens, hashes of the logits, the kernel tests. The first time Bochs is built.
.PHONY: test-avx512
MACHINE := $(PYTHON) Tests/Baseline/machine.py
test-avx512: tests-built $(LIBRARY) .venv/ready
	$(PYTHON) -m pytest -q -m machine Tests/Baseline
	$(MACHINE) sapphire "$(BUILD)/mixtralPackageTests.xctest --testing-library swift-testing --filter KernelsTests"

# Every kernel of every table that a processor runs against the reference's bits, by a program that has no more of
# Swift's runtime than the library: for any architecture that this machine builds for.
.PHONY: kernel-check
KERNEL_CHECK := .build/kernel-check$(CROSS)
kernel-check: $(LIBRARY)
	MIXTRAL_ARCH=$(ARCH) swift build $(EMBEDDED_FLAGS) $(EMBEDDED_$(ARCH)) --target KernelCheck
	scripts/link.sh $(ARCH) $(EMBEDDED)/release $(KERNEL_CHECK) "" KernelCheck

## make test-arm64: the library for arm64 on three processors that qemu plays: tokens, bits, every kernel.
.PHONY: test-arm64
test-arm64: $(LIBRARY) .venv/ready
	@$(NEED) qemu-aarch64:qemu-user
	$(SAME_MAKE) kernel-check ARCH=aarch64
	$(PYTHON) -m pytest -q -m arm64 Tests/Baseline
