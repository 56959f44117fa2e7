"""Builds the fuzz targets of this folder, fuzzes them for a time, or replays the committed corpus.

python fuzz.py run SECONDS [--jobs N] [TARGET…]
                                        fuzzes each target that long, N (1) at once; new finds go to
                                        .build/fuzz; ends with a table of results in Markdown
python fuzz.py replay [TARGET…]         runs each file of corpus/ once
python fuzz.py minimise TARGET FILE     makes a finding's input as short as it can be
python fuzz.py keep COUNT [TARGET…]     adds up to COUNT finds that reach new code to the corpus

The engine is built by SwiftPM with its own flags, the address sanitizer and libFuzzer's coverage; a
target is one Swift file here (and its `target+….swift`), compiled with Shared/ and linked to those
objects.
"""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / ".build/fuzz"
RELEASE = BUILD / "release"
CORPUS = HERE / "corpus"
TARGETS = sorted(path.stem for path in HERE.glob("*.swift") if "+" not in path.stem)
# Two --sanitize would be one: the compiler takes the last.
SANITIZERS = ["--sanitize", "address", "-Xswiftc", "-sanitize=fuzzer,address"]
# Swift's own crash handler would stand in the way of the sanitizer's. A refused allocation is a
# result to be tested.
ENVIRONMENT = {
    **os.environ,
    "SWIFT_BACKTRACE": "enable=no",
    "ASAN_OPTIONS": "allocator_may_return_null=1:detect_leaks=1:handle_abort=1",
}
LIMITS = ["-timeout=20", "-rss_limit_mb=4096", "-malloc_limit_mb=2048"]


def run(command: list[str | os.PathLike], **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], cwd=ROOT, env=ENVIRONMENT, **options)


def build_engine() -> None:
    for target in ["Mixtral", "Support"]:
        command = ["swift", "build", "-c", "release", "--disable-local-rpath", *SANITIZERS]
        command += ["--scratch-path", BUILD, "--target", target]
        done = run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(f"{done.stdout}\nswift build: exit {done.returncode}")


def package_name() -> str:
    """SwiftPM names the package after its folder."""
    return re.search(r'"-package-name","([^"]+)"', (BUILD / "release.yaml").read_text())[1]


def objects() -> list[pathlib.Path]:
    rooms = [path.name for path in (ROOT / "Sources").iterdir()] + ["Support"]
    return sorted(
        path
        for room in rooms
        for path in (RELEASE / f"{room}.build").rglob("*.o")
        if not path.name.endswith(".swiftmodule.o")
    )


def build_target(target: str) -> pathlib.Path:
    program = BUILD / "targets" / target
    sources = [HERE / f"{target}.swift", *sorted(HERE.glob(f"{target}+*.swift"))]
    sources += sorted((HERE / "Shared").glob("*.swift"))
    sources.append(ROOT / "Tests/ModelTests/TinyModel.swift")
    checks = HERE / "Shared/checks.c"
    inputs = [*sources, checks, *objects()]
    if program.exists() and all(path.stat().st_mtime < program.stat().st_mtime for path in inputs):
        return program
    program.parent.mkdir(exist_ok=True)
    compiled = program.with_suffix(".checks.o")
    run(["clang", "-O1", "-g", "-c", checks, "-o", compiled], check=True)
    flags = ["-O", "-g", "-parse-as-library", "-swift-version", "6"]
    flags += ["-package-name", package_name()]
    flags += ["-warnings-as-errors", "-sanitize=fuzzer,address", "-module-name", f"Fuzz_{target}"]
    flags += ["-I", RELEASE / "Modules", "-I", ROOT / "include"]
    for room in ["Platform", "Intrinsics"]:
        flags += ["-Xcc", f"-fmodule-map-file={RELEASE / f'{room}.build/module.modulemap'}"]
    flags += ["-Xlinker", "--wrap=platform_trap"]
    done = run(
        ["swiftc", *flags, *sources, compiled, *objects(), "-o", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nswiftc: exit {done.returncode}")
    return program


def prepared(targets: list[str]) -> dict[str, pathlib.Path]:
    unknown = [target for target in targets if target not in TARGETS]
    if unknown:
        sys.exit(f"no such target: {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    build_engine()
    return {target: build_target(target) for target in targets or TARGETS}


class Result(NamedTuple):
    """The outcome of fuzzing a target for a time."""

    target: str
    executions: str
    coverage: str
    written: list[str]
    code: int


def fuzz_target(target: str, program: pathlib.Path, seconds: int) -> Result:
    grown = BUILD / "corpus" / target
    finds = BUILD / "findings" / target
    for folder in [grown, finds, CORPUS / target]:
        folder.mkdir(parents=True, exist_ok=True)
    log = BUILD / f"{target}.log"
    command = [program, f"-max_total_time={seconds}", "-print_final_stats=1", *LIMITS]
    command += [f"-artifact_prefix={finds}/", "-use_value_profile=1", "-max_len=65536"]
    if (HERE / f"{target}.dict").exists():
        command.append(f"-dict={HERE / f'{target}.dict'}")
    with log.open("w") as out:
        code = run([*command, grown, CORPUS / target], stdout=out, stderr=out).returncode
    text = log.read_text(errors="replace")
    count = re.search(r"number_of_executed_units: (\d+)", text)
    coverage = re.findall(r"cov: (\d+)", text)
    result = Result(
        target,
        count[1] if count else "?",
        coverage[-1] if coverage else "?",
        re.findall(r"Test unit written to (\S+)", text),
        code,
    )
    print(
        f"{target}: {result.executions} executions, coverage {result.coverage}, "
        f"{len(result.written)} findings" + (f", exit {code}: see {log}" if code else ""),
        *result.written,
        flush=True,
    )
    return result


def fuzz(seconds: int, jobs: int, targets: list[str]) -> int:
    """Each target, `jobs` of them at once; the number of those with a finding."""
    programs = prepared(targets)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(lambda each: fuzz_target(*each, seconds), programs.items()))
    print(f"\n| target, {seconds} s each | executions | coverage | findings |")
    print("|---|---:|---:|---:|")
    for each in results:
        findings = f"{len(each.written)}" + (f", exit {each.code}" if each.code else "")
        print(f"| `{each.target}` | {each.executions} | {each.coverage} | {findings} |")
    return sum(bool(each.code or each.written) for each in results)


def replay(targets: list[str]) -> int:
    """The number of targets with a file that is a finding."""
    found = 0
    for target, program in prepared(targets).items():
        files = sorted((CORPUS / target).iterdir())
        if not files:
            sys.exit(f"{target} has no corpus")
        prefix = f"-artifact_prefix={BUILD}/"
        done = run(
            [program, *LIMITS, prefix, *files], capture_output=True, text=True, errors="replace"
        )
        executed = done.stderr.count("Executed ")
        failed = bool(done.returncode) or executed != len(files)
        print(f"{target}: {executed} of {len(files)} files" + (", FINDING" * failed), flush=True)
        if failed:
            print(done.stderr[-8000:])
        found += failed
    return found


def minimise(target: str, file: str) -> int:
    program = prepared([target])[target]
    shortest = pathlib.Path(file).resolve().with_suffix(".minimised")
    options = ["-minimize_crash=1", "-max_total_time=120", f"-exact_artifact_path={shortest}"]
    return run([program, *LIMITS, *options, pathlib.Path(file).resolve()]).returncode


def keep(count: int, targets: list[str]) -> int:
    """The smallest set of grown inputs that reaches what the committed ones do not."""
    for target, program in prepared(targets).items():
        with tempfile.TemporaryDirectory() as folder:
            merge = ["-set_cover_merge=1", "-max_len=4096", folder]
            run([program, *LIMITS, *merge, CORPUS / target, BUILD / "corpus" / target], check=True)
            new = [path for path in pathlib.Path(folder).iterdir() if path.stat().st_size <= 4096]
            known = {path.read_bytes() for path in (CORPUS / target).iterdir()}
            new = sorted(path for path in new if path.read_bytes() not in known)
            for path in new[:count]:
                shutil.copy(path, CORPUS / target / f"find-{path.name[:12]}")
            print(f"{target}: {len(new)} finds, {min(count, len(new))} kept")
    return 0


def main(arguments: list[str]) -> int:
    match arguments:
        case ["run", seconds, "--jobs", jobs, *targets]:
            return fuzz(int(seconds), int(jobs), targets)
        case ["run", seconds, *targets]:
            return fuzz(int(seconds), 1, targets)
        case ["replay", *targets]:
            return replay(targets)
        case ["keep", count, *targets]:
            return keep(int(count), targets)
        case ["minimise", target, file]:
            return minimise(target, file)
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
