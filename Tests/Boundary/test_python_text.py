"""Text from Python: strings that UTF-8 has no form for, and spellings of control tokens in a prompt."""

from __future__ import annotations

import json
import pathlib
import warnings

import mixtral
import pytest
from mixtral._text import StopFilter

# A string of Python's, and the bytes that it stands for: by the rules of UTF-16, in which a high and a low
# surrogate are one character, and of surrogateescape, in which U+DC80 to U+DCFF alone are bytes.
TEXTS = {
    "hi \ud83d\ude00": "hi \U0001f600".encode(),
    "\ud83d\ude00\ud83d\ude00": "\U0001f600\U0001f600".encode(),
    "\ud800\udc00": "\U00010000".encode(),
    "\udbff\udfff": "\U0010ffff".encode(),
    # The low half of this pair would be a byte if it were alone.
    "\ud83d\udc80": "\U0001f480".encode(),
    "hi \ud83d": "hi \ufffd".encode(),
    "\ude00\ud83d": "\ufffd\ufffd".encode(),
    "\ud83d\ud83d\ude00": "\ufffd\U0001f600".encode(),
    "\ud83dx\ude00": "\ufffdx\ufffd".encode(),
    "\udc7f\udd00": "\ufffd\ufffd".encode(),
    "\udc80\udcff": b"\x80\xff",
    "e\udcff\ud83d": b"e\xff\xef\xbf\xbd",
    "plain é": "plain é".encode(),
}


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_surrogates(demo, text):
    data = TEXTS[text]
    for options in ({}, {"bos": True}, {"special": True}, {"continuation": True}):
        assert demo.tokenize(text, **options) == demo.tokenize(data, **options)
    answers = [demo.generate(one, max_tokens=2) for one in (text, data)]
    for one in answers:
        list(one)
    assert answers[0].tokens == answers[1].tokens
    assert answers[0].prompt_tokens == len(demo.tokenize(data, bos=True))
    # The pieces are found in the text of the answer, where stray bytes are U+FFFD.
    shown = data.decode("utf-8", "replace")
    stops = StopFilter(["never", text])
    assert stops.next(f"before {shown} after") == "before "
    assert stops.stopped
    with pytest.raises(mixtral.NotFoundError):
        demo.metadata(text)


def test_bytes_that_may_change_are_text_too(demo):
    for data in (b"abc", bytearray(b"abc"), memoryview(b"abc")):
        assert demo.tokenize(data) == demo.tokenize("abc")
    for wrong in (5, None, ["abc"]):
        with pytest.raises(TypeError, match="text must be str or bytes"):
            demo.tokenize(wrong)


@pytest.mark.parametrize("path", ["\ud83d", "a\ude00b", pathlib.Path("x\ud83d\ude00")], ids=ascii)
def test_surrogates_in_paths(path, model):
    """Another name would be another file."""
    with model.session() as session:
        for call in (
            mixtral.Model,
            lambda path: mixtral.pack(path, "target"),
            lambda path: mixtral.pack("source", path),
            session.save_file,
            session.load_file,
        ):
            with pytest.raises(mixtral.InvalidArgumentError, match=r"path has '\\ud"):
                call(path)


def test_stray_bytes_in_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(mixtral.NotFoundError):
        mixtral.Model("\udcff.gguf")


def test_a_prompt_with_control_tokens(demo):
    prompt = "<s>In those days"
    ids = demo.tokenize(prompt, bos=True, special=True)
    assert ids == demo.tokenize("In those days", bos=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = demo.generate(prompt, max_tokens=4, special=True)
        plain = demo.generate("In those days", max_tokens=4)
        assert answer.prompt_tokens == len(ids)
        assert list(answer) == list(plain)
        # These begin with no control token.
        for text in ("", "x<s>", " <s>", "<", "[INST] a [/INST]", b"\xff"):
            demo.generate(text, max_tokens=1).close()


@pytest.mark.parametrize("prompt", ["<s>", "</s>x", b"<s>\xff"])
def test_a_plain_prompt_that_looks_like_a_template(demo, prompt):
    with pytest.warns(UserWarning, match="begins with '<.*special=True") as caught:
        answer = demo.generate(prompt, max_tokens=1)
    assert answer.prompt_tokens == len(demo.tokenize(prompt, bos=True))
    # It names the line that called generate().
    assert [one.filename for one in caught] == [__file__]


def test_one_bos(demo, windowed):
    for model in (demo, windowed):
        bos = model.info.bos_token
        plain = model.tokenize("hi", bos=True)
        assert plain.count(bos) == 1
        assert model.tokenize("<s>hi", bos=True, special=True) == plain
        assert model.tokenize("<s>hi", special=True) == plain
        # A mark that the text itself says twice stays.
        assert model.tokenize("<s><s>hi", bos=True, special=True).count(bos) == 2
        # Not trusted, it is text.
        assert model.tokenize("<s>hi", bos=True)[:1] == [bos]
        assert model.tokenize("<s>hi", bos=True).count(bos) == 1
        assert model.detokenize(model.tokenize("<s>hi", bos=True)) == "<s>hi"


def test_messages_can_be_written_down(demo):
    """Sentences about text with surrogates are text without."""
    with pytest.raises(mixtral.MixtralError) as caught:
        demo.metadata("\ud83d")
    json.dumps(str(caught.value)).encode()
    str(caught.value).encode()
