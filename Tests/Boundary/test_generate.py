"""Generation: equal to the loop that it stands for, and every way to end."""

from __future__ import annotations

import mixtral
import numpy
import pytest
from mixtral._text import StopFilter


def test_generate_equals_the_loop(model):
    ids = model.tokenize("he said", bos=True)
    answer = model.generate("he said", max_tokens=12)
    text = "".join(answer)
    tokens = []
    with model.session() as session:
        session.feed(ids)
        while len(tokens) < 12:
            token = session.sample()
            if token == model.info.eos_token:
                break
            tokens.append(token)
            session.feed([token])
    assert answer.tokens == tokens
    assert text == model.detokenize(tokens, continuation=True)
    assert answer.finish_reason in ("length", "end")
    assert answer.prompt_tokens == len(ids)
    assert "".join(model.generate(ids, max_tokens=12)) == text


def test_generate_is_repeatable_by_seed(model):
    options = {"max_tokens": 20, "temperature": 2.0, "top_p": 0.95}
    once = model.generate("x", seed=5, **options)
    again = model.generate("x", seed=5, **options)
    other = model.generate("x", seed=6, **options)
    for one in (once, again, other):
        list(one)
    assert once.tokens == again.tokens != other.tokens


def test_generate_stops_at_the_end_token(model):
    bias = {model.info.eos_token: 1e30}
    answer = model.generate("x", logit_bias=bias)
    assert "".join(answer) == ""
    assert answer.finish_reason == "end"


def test_generate_stops_at_the_end_of_the_context(model):
    ids = model.tokenize("x", bos=True)
    bias = {model.info.eos_token: -numpy.inf}
    answer = model.generate(ids, context=len(ids) + 5, logit_bias=bias)
    list(answer)
    assert answer.finish_reason == "context"
    # The token after the last position needs no place.
    assert len(answer.tokens) == 6
    with pytest.raises(mixtral.ContextFullError):
        list(model.generate(ids, context=1))


def test_generate_stops_at_a_string(model):
    bias = {model.info.eos_token: -numpy.inf}
    text = "".join(model.generate("x", max_tokens=30, logit_bias=bias))
    stop = text[len(text) // 2 :][:3]
    answer = model.generate("x", max_tokens=30, logit_bias=bias, stop=["\0never\0", stop])
    assert "".join(answer) == text[: text.index(stop)]
    assert answer.finish_reason == "stop"


def test_closing_a_generation_frees_its_session(mixtral_tiny):
    model = mixtral.Model(mixtral_tiny)
    answer = model.generate("x", max_tokens=100)
    session = answer._session
    next(answer, None)
    answer.close()
    answer.close()
    assert session.closed
    assert next(answer, None) is None
    with model.generate("x", max_tokens=100) as answer:
        session = answer._session
    assert session.closed
    assert answer.finish_reason == "closed"


def test_bad_generations_fail_at_once(model):
    for options in (
        {"max_tokens": -1},
        {"stop": [""]},
        {"temperature": -1.0},
        {"top_k": -1},
    ):
        with pytest.raises(mixtral.InvalidArgumentError):
            model.generate("x", **options)
    with pytest.raises(TypeError):
        model.generate("x", stop=[5])


@pytest.mark.parametrize("stops", [["ab"], ["aab", "b"], ["aba", "bab"], ["aaaa"], [], None])
def test_stop_strings_against_a_search(stops, random):
    for _ in range(200):
        text = "".join(random.choice(list("abc"), 12))
        stop_filter = StopFilter(stops)
        shown = ""
        for piece in text:
            shown += stop_filter.next(piece)
            if stop_filter.stopped:
                break
        shown += stop_filter.end()
        ends = [text.find(stop) + len(stop) for stop in stops or () if stop in text]
        # The first to be complete; of those that are complete together, the one that began first.
        first = min(ends, default=None)
        complete = [stop for stop in stops or () if first and text[:first].endswith(stop)]
        expected = text if first is None else text[: first - max(map(len, complete))]
        assert shown == expected
