"""K: threads, processors, and the state that a host leaves in them."""

from __future__ import annotations

import contextlib
import os
import threading

import gguf
import mixtral
import numpy
import pytest
from bits import digest, prompt
from process import MODELS, environment, system
from test_laws import available


def logits(path: object, **options) -> str:
    with mixtral.Model(path, **options) as model, model.session() as session:
        return digest(session.step_logits(prompt(40)))


@pytest.mark.parametrize("threads", [64, 512])
def test_K06_many_threads_on_few_processors(mixtral_tiny, threads):
    assert logits(mixtral_tiny, threads=threads) == logits(mixtral_tiny, threads=1)


def test_K07_one_processor(host):
    """By affinity: a team of two goes on where only one of them can run, and nobody asks for two."""
    one = min(os.sched_getaffinity(0))
    found = host.run("all", preexec_fn=lambda: os.sched_setaffinity(0, {one}))
    assert found == [1]


@pytest.mark.parametrize(
    ("quota", "threads"),
    [("max 100000", 9), ("10000 100000", 1), ("100000 100000", 1), ("199999 100000", 1), ("", 9)],
)
def test_K07_a_quota(host, tmp_path, quota, threads):
    """The processors that a control group gives, rounded down, when there are fewer than by affinity."""
    system(tmp_path, {"sys/fs/cgroup/cpu.max": quota})
    there = len(os.sched_getaffinity(0))
    assert host.run("all", env=environment(HOST_FILES=str(tmp_path))) == [min(threads, there)]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("limited", ["own", "parent", "top"])
def test_K07_a_quota_of_an_ancestor(host, tmp_path, version, limited):
    """That of any group that the process's own lies in, and of either version."""
    group = {"own": "/top/middle/own", "parent": "/top/middle", "top": "/top"}[limited]
    if version == 1:
        files = {
            "proc/self/cgroup": "3:cpuset:/\n2:cpu,cpuacct:/top/middle/own\n0::/\n",
            "proc/self/mountinfo": "33 31 0:30 / /sys/cpu rw - cgroup cgroup rw,cpu,cpuacct\n",
            f"sys/cpu{group}/cpu.cfs_quota_us": "150000\n",
            f"sys/cpu{group}/cpu.cfs_period_us": "100000\n",
        }
    else:
        files = {
            "proc/self/cgroup": "0::/top/middle/own\n",
            "proc/self/mountinfo": "33 31 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            f"sys/fs/cgroup{group}/cpu.max": "150000 100000\n",
        }
    system(tmp_path, files)
    assert host.run("all", env=environment(HOST_FILES=str(tmp_path))) == [1]


def test_K08_the_affinity_changes_meanwhile(mixtral_tiny):
    processors = os.sched_getaffinity(0)
    expected = logits(mixtral_tiny)
    done = threading.Event()

    def allow(allowed: set[int]) -> None:
        """That of all threads, the team's as well, which may end meanwhile."""
        for task in os.listdir("/proc/self/task"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(task), allowed)

    def change() -> None:
        while not done.is_set():
            for one in processors:
                allow({one})

    thread = threading.Thread(target=change)
    thread.start()
    try:
        found = {logits(mixtral_tiny, threads=3) for _ in range(10)}
    finally:
        done.set()
        thread.join()
        allow(processors)
    assert found == {expected}


@pytest.mark.parametrize("name", MODELS)
def test_K11_the_hosts_floating_point_state(host, name):
    """Flushing, rounding up, unmasked: before calls and in callbacks; the bits are the same."""
    host.run("float", name=name)


@pytest.mark.parametrize("name", MODELS)
def test_K15_stacks_of_workers(host, name):
    """Less than half of the 512 KiB."""
    (deepest,) = host.run("workers", name=name)
    assert 0 < deepest < 256 * 1024


@pytest.mark.parametrize("part", ["attn_v", "ffn_down", "token_embd"])
def test_K12_weights_below_the_normal_numbers(mixtral_tiny, tmp_path, part):
    """Matrices of subnormal halves: the same finite bits from every table."""
    data = bytearray(mixtral_tiny.read_bytes())
    changed = 0
    for tensor in gguf.GGUFReader(mixtral_tiny).tensors:
        if part in tensor.name and tensor.tensor_type == gguf.GGMLQuantizationType.F16:
            start = tensor.data_offset
            halves = numpy.frombuffer(data, "<u2", tensor.n_elements, start) & 0x83FF
            data[start : start + 2 * tensor.n_elements] = halves.astype("<u2").tobytes()
            changed += 1
    assert changed
    path = tmp_path / "subnormal.gguf"
    path.write_bytes(data)
    found = set()
    for isa in available():
        with mixtral.Model(path, isa=isa, threads=2) as model, model.session() as session:
            rows = session.step_logits(prompt(40))
            assert numpy.isfinite(rows).all()
            found.add(digest(rows))
    assert len(found) == 1
    assert found != {logits(mixtral_tiny)}
