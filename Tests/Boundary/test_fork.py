"""After fork the child has none of its parent's threads: its parent's handles are a status, its own work."""

from __future__ import annotations

import os
import signal
import subprocess

import mixtral
import pytest

import child


def in_child(body) -> int:
    """Runs body in a forked child; its result is the exit code. A child that hangs is killed."""
    number = os.fork()
    if number == 0:
        signal.alarm(20)
        code = 99
        try:
            code = int(body())
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


@pytest.mark.parametrize("threads", [1, 3])
def test_L06_a_parents_handles_are_forked(mixtral_tiny, threads):
    with mixtral.Model(mixtral_tiny, threads=threads) as model, model.session() as session:
        expected = session.step([1, 2, 3]).tobytes()

        def uses() -> int:
            for call in (lambda: session.step([4]), lambda: model.tokenize("a"), model.session):
                try:
                    call()
                    return 1
                except mixtral.ForkedError:
                    pass
            session.close()
            model.close()
            return 0

        def loads_again() -> int:
            with mixtral.Model(mixtral_tiny, threads=threads) as own, own.session() as mine:
                return 0 if mine.step([1, 2, 3]).tobytes() == expected else 1

        assert in_child(uses) == 0
        assert in_child(loads_again) == 0
        # The parent goes on as if nothing had been.
        session.rewind(0)
        assert session.step([1, 2, 3]).tobytes() == expected


SAME_ID = """
import os, signal, sys, mixtral
model = mixtral.Model(sys.argv[1], threads=2)
session = model.session()
session.feed([1, 2, 3])
assert os.getpid() == 1
child = os.fork()
if child == 0:
    signal.alarm(20)
    code = 1
    try:
        session.step([4])
    except mixtral.ForkedError:
        session.close()
        model.close()
        code = 0 if mixtral.Model(sys.argv[1]).session().step([1, 2, 3]).size else 2
    os._exit(code)
assert os.waitpid(child, 0)[1] == 0
session.feed([4])
"""


def test_L06_a_child_that_has_its_parents_id(mixtral_tiny, tmp_path):
    """As the first process of a PID namespace has that was forked by the first one of another."""
    source, same = tmp_path / "same.c", tmp_path / "same.so"
    source.write_text("int getpid(void) { return 1; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", same, source], check=True)
    done = child.python("-c", SAME_ID, mixtral_tiny, LD_PRELOAD=str(same))
    assert (done.returncode, done.stderr) == (0, "")
