"""Golden sets of llama.cpp's samplers (llama-cpp-python 0.3.36) and numbers of SplitMix64.

    python3 make_goldens.py

It writes filters.golden, penalties.golden, splitmix64.golden and draws.golden beside itself. Fields
are separated by spaces; floats are the hexadecimal digits of their 32 bits, or 64 where it says so.
LOGITS is how many numbers `logits` makes below, starting from SEED.

filters.golden: `case` LOGITS SEED TOP_K TYPICAL TOP_P MIN_P TEMPERATURE COUNT, then COUNT pairs
TOKEN:PROBABILITY, by token.
penalties.golden: `case` LOGITS SEED REPETITION FREQUENCY PRESENCE WINDOW, the tokens of the history
with commas (`-`: none), the logits afterwards with commas.
splitmix64.golden: a seed, its first eight numbers, the first fraction of 1 as 64 bits.
draws.golden: `case` LOGITS SEED TOP_K TYPICAL TOP_P MIN_P TEMPERATURE, then with commas the tokens
of 40 draws with the sampler's seed 7 + SEED, by a plain sampler in Python that sorts everything.
"""

import ctypes
import math
import os
import random
import struct

import llama_cpp as L

HERE = os.path.dirname(os.path.abspath(__file__))
MASK = (1 << 64) - 1


def splitmix64(seed):
    """Steele, Lea, Flood, OOPSLA 2014, figure 17 with the mixing of java.util.SplittableRandom."""
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def logits(count, seed):
    """Multiples of 2^-20 around 0 in a spread that a model might have: a few stand out."""
    numbers = splitmix64(seed)
    values = []
    for _ in range(count):
        n = next(numbers)
        a, b, c = n & 0x3FFFFF, (n >> 22) & 0x3FFFFF, n >> 44 & 0xFF
        value = (a + b) / 2**20 - 4
        if c < 12:
            value += c / 2
        values.append(value)
    return values


def bits32(x):
    return "%08x" % struct.unpack("<I", struct.pack("<f", x))[0]


def bits64(x):
    return "%016x" % struct.unpack("<Q", struct.pack("<d", x))[0]


def run(values, samplers):
    """The (token, logit) that are left by a chain of samplers."""
    data = (L.llama_token_data * len(values))()
    for i, value in enumerate(values):
        data[i] = L.llama_token_data(i, value, 0.0)
    array = L.llama_token_data_array(data, len(values), -1, False)
    for sampler in samplers:
        L.llama_sampler_apply(sampler, ctypes.byref(array))
    left = [(array.data[i].id, array.data[i].logit) for i in range(array.size)]
    for sampler in samplers:
        L.llama_sampler_free(sampler)
    return left


def probabilities(values, samplers):
    """The probabilities of the survivors by llama.cpp's distribution sampler, by token."""
    data = (L.llama_token_data * len(values))()
    for i, value in enumerate(values):
        data[i] = L.llama_token_data(i, value, 0.0)
    array = L.llama_token_data_array(data, len(values), -1, False)
    samplers = samplers + [L.llama_sampler_init_dist(1)]
    for sampler in samplers:
        L.llama_sampler_apply(sampler, ctypes.byref(array))
    left = sorted((array.data[i].id, array.data[i].p) for i in range(array.size))
    for sampler in samplers:
        L.llama_sampler_free(sampler)
    return left


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def filters():
    rng = random.Random(20)
    cases = []
    for top_k in (1, 2, 5, 40, 999):
        cases.append((300, top_k, 0, 0, 0, 1))
    for p in (0.05, 0.3, 0.5, 0.9, 0.99, 1.0):
        cases += [(300, 0, p, 0, 0, 1), (300, 0, 0, p, 0, 1), (300, 0, 0, 0, p, 1)]
    for temperature in (0.1, 0.7, 1.5, 10):
        cases.append((120, 0, 0, 0, 0, temperature))
    for _ in range(60):
        cases.append(
            (
                rng.choice((20, 100, 400)),
                rng.choice((0, 3, 10, 40, 100)),
                rng.choice((0, 0, 0.2, 0.6, 0.95)),
                rng.choice((0, 0.3, 0.8, 0.95)),
                rng.choice((0, 0.02, 0.1, 0.3)),
                rng.choice((0.5, 0.8, 1, 2)),
            )
        )
    lines = []
    for number, (count, k, typical, p, m, temperature) in enumerate(cases):
        values = logits(count, 1000 + number)
        chain = []
        if k:
            chain.append(L.llama_sampler_init_top_k(k))
        if typical:
            chain.append(L.llama_sampler_init_typical(typical, 1))
        if p:
            chain.append(L.llama_sampler_init_top_p(p, 1))
        if m:
            chain.append(L.llama_sampler_init_min_p(m, 1))
        chain.append(L.llama_sampler_init_temp(temperature))
        left = probabilities(values, chain)
        head = ["case", str(count), str(1000 + number), str(k)]
        head += [bits32(x) for x in (typical, p, m, temperature)]
        lines.append(" ".join(head + [str(len(left))] + [f"{t}:{bits32(q)}" for t, q in left]))
    return lines


def penalties():
    rng = random.Random(21)
    lines = []
    for number in range(24):
        count = 24
        values = logits(count, 5000 + number)
        history = [rng.randrange(count // 2) for _ in range(rng.choice((0, 1, 5, 30)))]
        repeat = f32(rng.choice((1, 1.1, 1.5, 0.5)))
        frequency = f32(rng.choice((0, 0.25, -0.5, 2)))
        presence = f32(rng.choice((0, 0.5, -1, 3)))
        window = rng.choice((0, 1, 4, 16, 64))
        # llama.cpp's window of 0 switches the penalties off; its history comes by `accept`.
        n = window if window else max(1, len(history))
        sampler = L.llama_sampler_init_penalties(
            *([count] * NEEDS_VOCABULARY), n, repeat, frequency, presence
        )
        for token in history:
            L.llama_sampler_accept(sampler, token)
        left = sorted(run(values, [sampler]))
        head = ["case", str(count), str(5000 + number)]
        head += [bits32(x) for x in (repeat, frequency, presence)] + [str(window)]
        tokens = ",".join(map(str, history)) or "-"
        lines.append(" ".join(head + [tokens, ",".join(bits32(x) for _, x in left)]))
    return lines


def random_numbers():
    lines = []
    for seed in (0, 1, 2, 1234567, 0x9E3779B97F4A7C15, 2**63, 2**64 - 1):
        numbers = splitmix64(seed)
        first = [next(numbers) for _ in range(8)]
        fraction = (first[0] >> 11) / 2**53
        lines.append(" ".join(["%016x" % n for n in [seed] + first] + [bits64(fraction)]))
    return lines


def survivors(values, k, typical, p, m):
    """The tokens that are left, in the order of their ids."""

    def softmax(tokens):
        top = max(values[t] for t in tokens)
        weights = [math.exp(values[t] - top) for t in tokens]
        return [w / math.fsum(weights) for w in weights]

    def prefix(tokens, shares, enough):
        total = 0
        for i, share in enumerate(shares):
            total += share
            if enough(total):
                return tokens[: i + 1]
        return tokens

    left = sorted(range(len(values)), key=lambda t: (-values[t], t))
    if k:
        left = left[:k]
    if typical:
        shares = softmax(left)
        entropy = -math.fsum(q * math.log(q) for q in shares)
        order = sorted((abs(-math.log(q) - entropy), t, q) for t, q in zip(left, shares))
        left = prefix([t for _, t, _ in order], [q for *_, q in order], lambda x: x > typical)
        left.sort(key=lambda t: (-values[t], t))
    if p:
        left = prefix(left, softmax(left), lambda x: x >= p)
    if m:
        shares = softmax(left)
        left = [t for t, q in zip(left, shares) if q >= m * max(shares)]
    return sorted(left)


def draws():
    rng = random.Random(22)
    lines = []
    for number in range(40):
        count = rng.choice((20, 100, 400))
        k = rng.choice((0, 3, 10, 40, 100))
        typical, p, m, temperature = (
            f32(rng.choice(choices))
            for choices in ((0, 0, 0.5, 0.9), (0, 0.6, 0.95), (0, 0, 0.05), (0.5, 0.8, 1, 2))
        )
        values = logits(count, 9000 + number)
        left = survivors(values, k, typical, p, m)
        top = max(values[t] for t in left)
        weights = [math.exp((values[t] - top) / temperature) for t in left]
        numbers = splitmix64(7 + 9000 + number)
        tokens = []
        for _ in range(40):
            target = (next(numbers) >> 11) / 2**53 * math.fsum(weights)
            total, chosen = 0, None
            for token, weight in zip(left, weights):
                total += weight
                if chosen is None and total > target:
                    chosen = token
            tokens.append(chosen)
        head = ["case", str(count), str(9000 + number), str(k)]
        head += [bits32(x) for x in (typical, p, m, temperature)]
        lines.append(" ".join(head + [",".join(map(str, tokens))]))
    return lines


# The argument came and went with the versions of the binding.
NEEDS_VOCABULARY = len(L.llama_sampler_init_penalties.argtypes or [0] * 4) - 4

for name, lines in (
    ("filters", filters()),
    ("penalties", penalties()),
    ("splitmix64", random_numbers()),
    ("draws", draws()),
):
    with open(os.path.join(HERE, name + ".golden"), "w") as out:
        out.write("\n".join(lines) + "\n")
