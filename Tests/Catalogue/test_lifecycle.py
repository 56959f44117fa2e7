"""L: opened, forked, left, signalled, confined."""

from __future__ import annotations

import os
import signal

import mixtral
import pytest
from process import environment, python, run

ALLOCATORS = ["libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2"]
# Every variable that Swift's runtime looks for at its start; each would change what it does or says.
RUNTIME = {
    "SWIFT_DEBUG_HELP": "YES",
    "SWIFT_DEBUG_ENABLE_METADATA_ALLOCATION_ITERATION": "YES",
    "SWIFT_DEBUG_ENABLE_METADATA_BACKTRACE_LOGGING": "YES",
    "SWIFT_DEBUG_IMPLICIT_OBJC_ENTRYPOINT": "3",
    "SWIFT_DETERMINISTIC_HASHING": "YES",
    "SWIFT_DEBUG_ENABLE_MALLOC_SCRIBBLE": "YES",
    "SWIFT_DEBUG_ENABLE_COW_CHECKS": "YES",
    "SWIFT_DEBUG_VALIDATE_UNCHECKED_CONTINUATIONS": "YES",
    "SWIFT_DEBUG_FAILED_TYPE_LOOKUP": "YES",
    "SWIFT_BINARY_COMPATIBILITY_VERSION": "nonsense",
    "SWIFT_DEBUG_NO_SUCH_VARIABLE": "1",
    "SWIFT_BACKTRACE": "enable=yes",
}


def loaded(name: str) -> str:
    """The path of a library of the system."""
    listed = run(["/sbin/ldconfig", "-p"])
    paths = [line.split(" => ")[1] for line in listed.stdout.splitlines() if f"\t{name} " in line]
    if not paths:
        pytest.fail(f"{name} is missing: make test-catalogue installs it", pytrace=False)
    return paths[0]


def test_L04_beside_another_swift_library(library, mixtral_tiny, tmp_path):
    """A library with a toolchain's shared runtime, in one scope of names: each keeps its own."""
    (tmp_path / "other.swift").write_text(r"""
        final class Counter { var counts: [String: Int] = [:] }
        @c(other_count) public func otherCount() -> Int {
          let counter = Counter()
          for i in 0..<1000 { counter.counts["\(i % 100)", default: 0] += i }
          return counter.counts.values.reduce(0, +)
        }
        """)
    other = tmp_path / "libother.so"
    built = run(["swiftc", "-O", "-emit-library", "-o", other, tmp_path / "other.swift"])
    assert built.returncode == 0, built.stderr
    for order in ("mixtral other", "other mixtral"):
        done = python(
            """
            import ctypes, os, sys
            order, path, other, model = sys.argv[1:]
            opening = {
                "mixtral": lambda: ctypes.CDLL(path, mode=os.RTLD_GLOBAL),
                "other": lambda: ctypes.CDLL(other, mode=os.RTLD_GLOBAL),
            }
            theirs = {name: opening[name]() for name in order.split()}["other"]
            import mixtral
            with mixtral.Model(model, threads=2) as model, model.session() as session:
                for _ in range(3):
                    assert theirs.other_count() == 499500
                    session.step([1, 2, 3])
            """,
            order,
            library,
            other,
            mixtral_tiny,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), order


@pytest.mark.parametrize("name", ALLOCATORS)
def test_L05_another_allocator(host, name):
    host.run("all", env=environment(LD_PRELOAD=loaded(name)))


@pytest.mark.parametrize("what", ["step", "load"])
def test_L07_fork_while_another_thread_is_in_a_call(host, what):
    """100 children at as many moments: each refuses its parent's handles, frees them and begins anew."""
    host.run("fork", what)


def test_L06_a_callback_forks(host):
    """The load goes on in both processes; the child's model is none, and it can make its own."""
    host.run("fork-in-load")


def test_L06_descriptors_are_closed_on_exec(mixtral_tiny, tmp_path):
    found = {}

    def look(_done: int, _total: int) -> None:
        for name in os.listdir("/proc/self/fd"):
            try:
                target = os.readlink(f"/proc/self/fd/{name}")
            except FileNotFoundError:
                continue
            if target == str(mixtral_tiny) or target.startswith(str(tmp_path)):
                found[target] = os.get_inheritable(int(name))

    mixtral.pack(mixtral_tiny, tmp_path / "packed", progress=look)
    with mixtral.Model(tmp_path / "packed", map=True, progress=look):
        look(0, 0)
    assert len(found) == 3
    assert not any(found.values())


@pytest.mark.parametrize("how", ["exit", "quick_exit", "_exit", "return"])
def test_L08_the_process_ends_during_a_step(host, how):
    """Without delay, crash or word, and with the host's own status."""
    for _ in range(5):
        host.run("leave", how, status=3, timeout=20)


def test_L08_calls_at_exit(host):
    """A host's own handler at exit may use the library as ever."""
    host.run("leave", "atexit", status=3)


def test_L09_closed_with_live_handles(library, mixtral_tiny):
    """The library stays: what was alive goes on, and a second opening is the same library."""
    done = python(
        """
        import ctypes, _ctypes, sys
        from mixtral import _raw
        model, session, path = ctypes.c_void_p(), ctypes.c_void_p(), sys.argv[2].encode()
        assert _raw.mixtral_load(ctypes.byref(model), path, None) == 0
        assert _raw.mixtral_session_create(ctypes.byref(session), model, None) == 0
        ids = (_raw.mixtral_token * 3)(1, 2, 3)
        again = ctypes.CDLL(sys.argv[1])
        for _ in range(10):
            _ctypes.dlclose(again._handle)
        assert _raw.mixtral_step(session, ids, 3) == 0
        again = ctypes.CDLL(sys.argv[1])
        assert again.mixtral_free(session) == again.mixtral_free(model) == 0
        """,
        library,
        mixtral_tiny,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_L10_handlers_that_restart_calls(host):
    host.run("interrupted")


def test_L11_ended_while_a_file_is_written(mixtral_tiny, tmp_path):
    """The file that is left has the name of a part; the next process is not in its way."""
    target = tmp_path / "packed.gguf"
    program = """
        import os, signal, sys
        import mixtral
        def stop(done, total):
            if done > total // 2:
                os.kill(os.getpid(), signal.SIGTERM)
        mixtral.pack(sys.argv[1], sys.argv[2], progress=stop)
        """
    done = python(program, mixtral_tiny, target)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGTERM, "", "")
    left = os.listdir(tmp_path)
    assert len(left) == 1 and left[0].startswith("packed.gguf.partial-")
    mixtral.pack(mixtral_tiny, target)
    assert sorted(os.listdir(tmp_path)) == ["packed.gguf", *left]
    with mixtral.Model(target) as model, model.session() as session:
        session.step([1, 2, 3])


def test_L12_interpreters_in_one_process(mixtral_tiny):
    """Each imports the package for itself; the library below is one."""
    done = python(
        """
        import sys
        import _xxsubinterpreters as interpreters
        body = '''
        import ctypes, sys
        from mixtral import _raw
        model, session = ctypes.c_void_p(), ctypes.c_void_p()
        assert _raw.mixtral_load(ctypes.byref(model), PATH, None) == 0
        assert _raw.mixtral_session_create(ctypes.byref(session), model, None) == 0
        assert _raw.mixtral_step(session, (_raw.mixtral_token * 2)(1, 2), 2) == 0
        assert _raw.mixtral_free(model) == 0
        '''.replace("        ", "").replace("PATH", repr(sys.argv[1].encode()))
        for _ in range(3):
            one = interpreters.create()
            interpreters.run_string(one, body)
            interpreters.destroy(one)
        exec(body)
        """,
        mixtral_tiny,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_L12_multiprocessing(mixtral_tiny, tmp_path, method):
    """A child works on a model of its own, whatever its parent has open."""
    program = tmp_path / "program.py"
    program.write_text("""
import multiprocessing, sys
import mixtral

def work(path):
    with mixtral.Model(path, threads=2) as model, model.session() as session:
        return session.step([1, 2, 3]).tobytes()

if __name__ == "__main__":
    path = sys.argv[1]
    context = multiprocessing.get_context(sys.argv[2])
    with mixtral.Model(path, threads=2) as model, model.session() as session:
        expected = session.step([1, 2, 3]).tobytes()
        with context.Pool(2) as pool:
            assert pool.map(work, [path] * 4) == [expected] * 4
        session.step([4])
""")
    done = python(
        "import os, sys; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])",
        program,
        mixtral_tiny,
        method,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_L14_threads_that_have_a_sentence_end(host):
    """20,000 of them leave no memory."""
    host.run("threads")


def test_L16_the_first_call_in_many_threads_at_once(host):
    for _ in range(5):
        host.run("together")


def test_L17_L18_variables_of_the_runtime_change_nothing(host):
    """The engine reads none; the runtime reads its own, and neither says nor does anything else."""
    host.run("all", env=environment(**RUNTIME))


def test_L19_the_system_calls_of_a_sandbox(host):
    """A system call that is not in the list of confined.c would end the process."""
    for name in ("mixtral-tiny", "mistral-tiny"):
        host.run("confined", name=name)
