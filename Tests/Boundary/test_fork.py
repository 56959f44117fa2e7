"""After fork the child has none of its parent's threads: its parent's handles are a status, its own work."""

from __future__ import annotations

import os
import signal

import mixtral
import pytest


def in_child(body) -> int:
    """Runs body in a forked child; its result is the exit code. A child that hangs is killed."""
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        code = 99
        try:
            code = int(body())
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


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
