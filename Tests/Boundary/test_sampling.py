"""Options of a sampler: what is refused, what zero means, what a seed promises."""

from __future__ import annotations

import math

import mixtral
import pytest

NAN, INFINITY = math.nan, math.inf


@pytest.fixture
def session(model):
    with model.session() as session:
        session.feed([1, 100, 200, 300])
        yield session


def refused(**options: object) -> str:
    with pytest.raises(mixtral.InvalidArgumentError) as caught:
        mixtral.Sampler(**options)
    (name,) = options
    text = str(caught.value)
    if name != "logit_bias":
        assert name in text
    return text


def draws(session, count: int = 20, **options: object) -> list[int]:
    with mixtral.Sampler(**{"seed": 0, **options}) as sampler:
        return [session.sample(sampler) for _ in range(count)]


def greedy(session) -> int:
    logits = list(session.logits())
    return logits.index(max(logits))


def test_N03_greedy_is_the_highest_logit_lowest_id(session):
    assert session.sample() == greedy(session)
    assert draws(session, 3) == [greedy(session)] * 3

    def equal(logits):
        for index in range(len(logits)):
            logits[index] = 1.5

    assert draws(session, 3, filter=equal) == [0, 0, 0]


def test_N06_temperature(session):
    for value in (NAN, -1.0, INFINITY, -INFINITY):
        refused(temperature=value)
    for value in (0.0, -0.0, 1e-30):
        assert set(draws(session, temperature=value)) == {greedy(session)}
    # At this temperature all tokens are equally likely: 20 draws of 1024 are hardly ever one.
    assert len(set(draws(session, temperature=1e30))) > 10


def test_N07_top_k(session, model):
    refused(top_k=-1)
    refused(top_k=2**32)
    logits = list(session.logits())
    for k in (1, 2, 5):
        best = sorted(range(len(logits)), key=lambda one: (-logits[one], one))[:k]
        assert set(draws(session, 50, temperature=1e30, top_k=k)) <= set(best)
    everything = draws(session, temperature=2.0)
    assert draws(session, temperature=2.0, top_k=0) == everything
    assert draws(session, temperature=2.0, top_k=model.info.vocabulary) == everything
    assert draws(session, temperature=2.0, top_k=2**32 - 1) == everything


def test_N08_top_p(session):
    for value in (NAN, -0.1, 1.1, INFINITY):
        refused(top_p=value)
    everything = draws(session, temperature=2.0)
    assert draws(session, temperature=2.0, top_p=0.0) == everything
    assert draws(session, temperature=2.0, top_p=1.0) == everything
    assert set(draws(session, temperature=2.0, top_p=1e-9)) == {greedy(session)}


def test_N09_min_p_and_typical_p(session):
    for name in ("min_p", "typical_p"):
        for value in (NAN, -0.1, 1.1, INFINITY):
            refused(**{name: value})
    assert set(draws(session, temperature=2.0, min_p=1.0)) == {greedy(session)}
    everything = draws(session, temperature=2.0)
    assert draws(session, temperature=2.0, min_p=0.0, typical_p=0.0) == everything


def test_N10_penalties(session):
    for value in (-1.0, NAN, INFINITY):
        refused(repetition_penalty=value)
    for name in ("frequency_penalty", "presence_penalty"):
        for value in (NAN, 100.5, -100.5, INFINITY):
            refused(**{name: value})
        for value in (100.0, -100.0):
            mixtral.Sampler(**{name: value}).close()
    everything = draws(session, temperature=2.0)
    assert draws(session, temperature=2.0, repetition_penalty=1.0) == everything
    seen = {1, 100, 200, 300}
    assert set(draws(session, frequency_penalty=-100.0)) <= seen
    assert not set(draws(session, 50, temperature=1.0, frequency_penalty=100.0)) & seen


def test_N11_logit_bias(session, model):
    for value in (NAN, INFINITY):
        refused(logit_bias={5: value})
    assert "-1" in refused(logit_bias={-1: 1.0})
    first = greedy(session)
    assert draws(session, 1, logit_bias={first: -INFINITY}) != [first]
    assert draws(session, 1, logit_bias={7: 1e30}) == [7]
    with (
        mixtral.Sampler(logit_bias={model.info.vocabulary: 1.0}) as sampler,
        pytest.raises(mixtral.InvalidArgumentError),
    ):
        session.sample(sampler)


def test_N11_more_biases_than_a_vocabulary_can_have():
    with pytest.raises(mixtral.LimitExceededError):
        mixtral.Sampler(logit_bias=dict.fromkeys(range(1048577), 1.0))


def test_N12_N05_nothing_left(session, model):
    banned = dict.fromkeys(range(model.info.vocabulary), -INFINITY)
    for temperature in (0.0, 1.0):
        with pytest.raises(mixtral.NumericError):
            session.sample(temperature=temperature, logit_bias=banned)

    def spoil(logits):
        logits[3] = NAN

    with pytest.raises(mixtral.NumericError):
        session.sample(filter=spoil)
    assert session.sample() == greedy(session)


def test_N13_seeds(session):
    refused(seed=-1)
    refused(seed=2**64)
    for seed in (0, 1, 2**63, 2**64 - 1):
        once = draws(session, 40, temperature=1.5, seed=seed)
        assert draws(session, 40, temperature=1.5, seed=seed) == once
    assert draws(session, 40, temperature=1.5, seed=1) != draws(
        session, 40, temperature=1.5, seed=2
    )


def test_no_seed_is_another_one_each_time(session):
    seeds = set()
    for options in ({}, {"seed": None}):
        for _ in range(8):
            with mixtral.Sampler(temperature=1.5, **options) as sampler:
                drawn = [session.sample(sampler) for _ in range(20)]
            assert draws(session, 20, temperature=1.5, seed=sampler.seed) == drawn
            seeds.add(sampler.seed)
    # Equal ones among 16 of 2^64 come once in 2^57 times.
    assert len(seeds) == 16


def test_draws_follow_the_distribution(session):
    """The share of draws above the median logit is that of the probabilities, within 5 sigma."""
    logits = [float(one) for one in session.logits()]
    highest = max(logits)
    weights = [math.exp((one - highest) / 2.0) for one in logits]
    chosen = {index for index, one in enumerate(logits) if one > sorted(logits)[len(logits) // 2]}
    share = sum(weights[index] for index in chosen) / sum(weights)
    count = 4000
    hits = sum(one in chosen for one in draws(session, count, temperature=2.0, seed=11))
    assert abs(hits - count * share) < 5 * math.sqrt(count * share * (1 - share)) + 1


def test_N20_report(session, model):
    logits = [float(one) for one in session.logits()]
    total = math.log(sum(math.exp(one - max(logits)) for one in logits)) + max(logits)
    best = sorted(range(len(logits)), key=lambda one: (-logits[one], one))
    bias = {best[0]: -INFINITY}
    with mixtral.Sampler(temperature=1.0, seed=3, report=5, logit_bias=bias) as sampler:
        token = session.sample(sampler)
        report = sampler.report()
    assert [one.token for one in report] == [token, *best[:5]]
    for one in report:
        assert one.logit == logits[one.token]
        # Two floats round here: the logits' sum and the result.
        assert one.log_probability == pytest.approx(logits[one.token] - total, rel=1e-5, abs=1e-5)
    # How many there can be is known when there is a model.
    for report in (model.info.vocabulary + 1, 2**32 - 1):
        with mixtral.Sampler(report=report) as sampler:
            with pytest.raises(mixtral.InvalidArgumentError):
                session.sample(sampler)
            with pytest.raises(mixtral.InvalidArgumentError):
                sampler.report()
    with mixtral.Sampler(report=model.info.vocabulary) as sampler:
        session.sample(sampler)
        assert [one.token for one in sampler.report()[1:]] == best


def test_options_go_on_with_their_numbers(session):
    expected = draws(session, 12, temperature=1.5, seed=9)
    assert len(set(expected)) > 6
    assert [session.sample(temperature=1.5, seed=9) for _ in range(6)] == expected[:6]
    # Another seed begins anew, and so does the one of before after it.
    eighth = draws(session, 2, temperature=1.5, seed=8)
    assert [session.sample(temperature=1.5, seed=8) for _ in range(2)] == eighth
    assert session.seed == 8
    assert session.sample(temperature=1.5, seed=9) == expected[0]


@pytest.mark.parametrize(
    "more",
    [
        lambda turn: {"filter": lambda logits: None},
        lambda turn: {"temperature": 1.5 + turn * 1e-12},
        lambda turn: {"logit_bias": {turn: 0.0}},
        lambda turn: {"report": turn % 2},
        lambda turn: {} if turn % 2 else {"seed": 9},
    ],
    ids=["filter", "temperature", "bias", "report", "seed"],
)
def test_other_options_go_on_with_the_numbers(session, more):
    expected = draws(session, 12, temperature=1.5, seed=9)
    drawn = []
    for turn in range(12):
        options = {"temperature": 1.5, "seed": 9, **more(turn)}
        if turn and more(turn) == {}:
            del options["seed"]
        drawn.append(session.sample(**options))
    assert drawn == expected
    assert session.seed == 9


def test_what_takes_no_number_leaves_the_numbers(session):
    """Greedy choice, and a draw that fails."""
    expected = draws(session, 3, temperature=1.5, seed=9)
    drawn = []
    for _ in range(3):
        assert session.sample(seed=9) == greedy(session)
        with pytest.raises(mixtral.CancelledError):
            session.sample(temperature=1.5, filter=lambda logits: True)
        with pytest.raises(mixtral.InvalidArgumentError):
            session.sample(temperature=-1.0, seed=9)
        drawn.append(session.sample(temperature=1.5))
    assert drawn == expected


def test_a_session_draws_a_seed_once(session):
    assert session.seed is None
    drawn = [session.sample(temperature=1.5 + turn * 1e-12) for turn in range(12)]
    seed = session.seed
    assert seed is not None
    assert drawn == draws(session, 12, temperature=1.5, seed=seed)
