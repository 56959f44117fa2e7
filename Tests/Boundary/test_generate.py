"""Generation: equal to the loop that it stands for, and every way to end."""

from __future__ import annotations

import threading
import time

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


class Gate:
    """A filter that stops inside `next` until it may go on."""

    def __init__(self) -> None:
        self.inside, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self, logits) -> None:
        self.inside.set()
        assert self.may_go_on.wait(60)


def in_thread(call) -> tuple[threading.Thread, list[object]]:
    """Runs call() in a thread; what it gives or raises is the only element of the list."""
    results: list[object] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, results


def test_closing_while_another_thread_is_inside(model):
    """Busy changes nothing: `next` goes on, and the next close() frees everything."""
    gate = Gate()
    answer = model.generate("x", max_tokens=3, filter=gate)
    expected = model.generate("x", max_tokens=3)
    pieces = list(expected)
    thread, results = in_thread(lambda: list(answer))
    assert gate.inside.wait(60)
    for call in (answer.close, lambda: next(answer), answer.close):
        with pytest.raises(mixtral.BusyError, match="generation"):
            call()
    assert answer.finish_reason is None
    assert not any(one.closed for one in answer._owned)
    gate.may_go_on.set()
    thread.join()
    assert results == [pieces]
    assert answer.tokens == expected.tokens
    answer = model.generate("x", max_tokens=3, filter=gate)
    next(answer)
    answer.close()
    assert answer.finish_reason == "closed"
    assert all(one.closed for one in answer._owned)


def test_a_close_that_is_busy_in_the_library_can_be_done_again(model):
    """The session is freed first: while a call of another kind has it, everything stays."""
    answer = model.generate("x", max_tokens=3)
    gate = Gate()
    answer._session.feed([1])
    thread, results = in_thread(lambda: answer._session.sample(filter=gate))
    assert gate.inside.wait(60)
    with pytest.raises(mixtral.BusyError):
        answer.close()
    assert answer.finish_reason is None
    assert not any(one.closed for one in answer._owned)
    gate.may_go_on.set()
    thread.join()
    assert isinstance(results[0], int)
    answer.close()
    assert all(one.closed for one in answer._owned)


def test_calls_of_a_generation_from_its_own_filter(model):
    seen = []

    def inside(logits):
        for call in (answer.close, lambda: next(answer)):
            with pytest.raises(mixtral.BusyError):
                call()
            seen.append(answer.finish_reason)

    answer = model.generate("x", max_tokens=2, filter=inside)
    assert len(list(answer)) > 0
    assert seen == [None] * 4


def test_cancelling_a_long_prompt(model):
    """From another thread, before or within the prompt: repeated until it comes before the end."""
    ids = [1 + index % 900 for index in range(3000)]
    for _ in range(100):
        answer = model.generate(ids, max_tokens=1, context=4096)
        thread, results = in_thread(lambda answer=answer: next(answer))
        while answer._feeding is None and not results:
            time.sleep(0.0001)
        answer.cancel()
        thread.join()
        if isinstance(results[0], mixtral.CancelledError):
            break
        answer.close()
    assert isinstance(results[0], mixtral.CancelledError)
    assert answer.finish_reason == "cancelled"
    assert answer.tokens == []
    assert all(one.closed for one in answer._owned)
    assert next(answer, None) is None


def test_cancelling_between_steps(model):
    """The `next` to come raises; also when the cancel comes from the generation's own filter."""
    answer = model.generate("x", max_tokens=9)
    next(answer)
    answer.cancel()
    assert answer.finish_reason is None
    with pytest.raises(mixtral.CancelledError):
        next(answer)
    assert answer.finish_reason == "cancelled"
    assert all(one.closed for one in answer._owned)
    answer.cancel()
    answer = model.generate("x", max_tokens=9, filter=lambda logits: answer.cancel())
    with pytest.raises(mixtral.CancelledError):
        list(answer)
    assert len(answer.tokens) == 1
    with model.generate("x", max_tokens=9) as answer:
        pass
    answer.cancel()
    assert answer.finish_reason == "closed"


def test_an_error_frees_everything(model):
    class Whim(Exception):
        pass

    def raises(logits):
        raise Whim

    answer = model.generate("x", max_tokens=9, filter=raises)
    with pytest.raises(Whim):
        next(answer)
    assert answer.finish_reason == "closed"
    assert all(one.closed for one in answer._owned)


def test_the_seed_of_a_generation(model):
    options = {"max_tokens": 12, "temperature": 2.0}
    answers = [model.generate("x", **options) for _ in range(4)]
    texts = ["".join(answer) for answer in answers]
    assert len({answer.seed for answer in answers}) == len(set(texts)) == 4
    assert "".join(model.generate("x", seed=answers[2].seed, **options)) == texts[2]
    assert model.generate("x", seed=5).seed == 5


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
