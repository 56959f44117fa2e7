"""The seed of a sampler in C: given, or drawn and told."""

from __future__ import annotations

import ctypes

import mixtral
import pytest
from mixtral import _raw

from capi import ARGUMENT, assert_sentence, message, ok, sized


def created(options: object) -> tuple[int, int]:
    """The status of mixtral_sampler_create, and the seed of what it made."""
    sampler, seed = ctypes.c_void_p(), ctypes.c_uint64(7)
    status = _raw.mixtral_sampler_create(ctypes.byref(sampler), options)
    if status == _raw.MIXTRAL_OK:
        ok(_raw.mixtral_sampler_seed(ctypes.byref(seed), sampler))
        ok(_raw.mixtral_free(sampler))
    return status, seed.value


def test_seeds_in_c():
    """Zero is a seed, that of zeroed options; a random one has to be asked for."""
    options = _raw.mixtral_sampler_options
    assert created(None) == (_raw.MIXTRAL_OK, 0)
    for seed in (0, 1, 2**64 - 1):
        assert created(ctypes.byref(sized(options, seed=seed))) == (_raw.MIXTRAL_OK, seed)
    found = [created(ctypes.byref(sized(options, random_seed=1))) for _ in range(16)]
    assert {status for status, _ in found} == {_raw.MIXTRAL_OK}
    assert len({seed for _, seed in found}) == 16
    # An older release's struct ends before it.
    before = options(struct_size=options.random_seed.offset, random_seed=1, seed=5)
    assert created(ctypes.byref(before)) == (_raw.MIXTRAL_OK, 0)
    for wrong, name in (
        (sized(options, random_seed=2), "random_seed is 2"),
        (sized(options, random_seed=2**32 - 1), "random_seed is 4294967295"),
        (sized(options, random_seed=1, seed=5), "seed is 5"),
    ):
        assert created(ctypes.byref(wrong)) == (ARGUMENT, 7)
        assert message().startswith(name)
        assert_sentence(message())


def test_the_seed_of_a_sampler_at_work(model):
    """It stays what it was while numbers are drawn, and is BUSY during a draw."""
    seen = []

    def look(logits):
        with pytest.raises(mixtral.BusyError):
            mixtral._errors.check(_raw.mixtral_sampler_seed(ctypes.byref(seed), sampler._handle))
        seen.append(seed.value)

    seed = ctypes.c_uint64(1)
    with (
        model.session() as session,
        mixtral.Sampler(temperature=1.0, seed=11, filter=look) as sampler,
    ):
        session.feed([1])
        for _ in range(3):
            session.sample(sampler)
            ok(_raw.mixtral_sampler_seed(ctypes.byref(seed), sampler._handle))
            assert seed.value == 11
    assert seen == [0, 0, 0]
