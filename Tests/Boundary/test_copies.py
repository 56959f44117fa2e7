"""Copies of every class of the package: of a description they are equal, of what the library holds they are
refused by a sentence that says what to do."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle

import mixtral
import pytest

WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda one, protocol=protocol: pickle.loads(
            pickle.dumps(one, protocol)
        )
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}
HELD = {
    "Model": ("open the file again", lambda model: model),
    "Session": ("fork", lambda model: model.session()),
    "Sampler": ("same options", lambda model: mixtral.Sampler(temperature=1.0)),
    "Detokenizer": ("Model.detokenizer", lambda model: model.detokenizer()),
    "Generation": ("generate", lambda model: model.generate("x", max_tokens=3)),
}


def candidate(model):
    with model.session() as session, mixtral.Sampler(report=1) as sampler:
        session.feed([1])
        session.sample(sampler)
        return sampler.report()[0]


DESCRIPTIONS = {
    "Info": lambda model: model.info,
    "SessionState": lambda model: model.session().state,
    "Candidate": candidate,
}


def test_every_class_is_here():
    classes = {name for name in mixtral.__all__ if inspect.isclass(getattr(mixtral, name))}
    errors = {name for name in classes if issubclass(getattr(mixtral, name), Exception)}
    # Of a protocol there is no object, and of a TypedDict a dict.
    assert classes - errors - {"Allocator", "SamplerOptions"} == {*HELD, *DESCRIPTIONS}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", HELD)
def test_what_the_library_holds_is_not_copied(model, name, way):
    hint, make = HELD[name]
    one = make(model)
    for whole in (one, [one], {"one": one}):
        if way == "copy" and whole is not one:
            continue
        with pytest.raises(TypeError, match=f"a {name} cannot be copied or pickled.*{hint}"):
            WAYS[way](whole)
    gc.collect()
    # The object itself is as it was.
    assert model.tokenize("x")
    if isinstance(one, mixtral.Session):
        one.feed([1])
    if isinstance(one, mixtral.Generation):
        assert len(list(one)) > 0


def test_a_class_of_ones_own_is_not_copied_either(mixtral_tiny):
    class Mine(mixtral.Model):
        pass

    with Mine(mixtral_tiny, threads=1) as mine, pytest.raises(TypeError, match="a Mine cannot"):
        copy.copy(mine)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_descriptions_are_copied(model, name, way):
    one = DESCRIPTIONS[name](model)
    assert WAYS[way](one) == one


@pytest.mark.parametrize("way", WAYS)
def test_errors_are_copied(way):
    names = [name for name in mixtral.__all__ if name.endswith("Error")]
    assert len(names) > 15
    for name in names:
        error = getattr(mixtral, name)("the sentence", 16)
        again = WAYS[way](error)
        assert type(again) is type(error)
        assert (str(again), again.status) == ("the sentence", 16)
