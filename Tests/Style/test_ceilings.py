"""The counts of ceilings.json only fall, and no function is longer than 70 lines."""

from __future__ import annotations

import ceilings
import pytest
import swift_text

LONGEST = 70


def test_no_function_is_longer_than_70_lines():
    assert not {name for name, count in ceilings.long_functions().items() if count > LONGEST}


def test_long_functions_become_fewer_and_shorter():
    ceiling = ceilings.allowed()[ceilings.LONG]
    risen = {
        name: count
        for name, count in ceilings.long_functions().items()
        if count > ceiling.get(name, 0)
    }
    assert not risen, "allowed are 40 lines, and of those in ceilings.json as many as it says"


@pytest.mark.parametrize("measure", ceilings.MEASURES)
def test_ceilings_only_fall(measure):
    ceiling = ceilings.allowed()[measure]
    found = ceilings.counts(measure)
    print(f"{measure}: {sum(found.values())} of {sum(ceiling.values())}: {found}")
    risen = {room: count for room, count in found.items() if count > ceiling.get(room, 0)}
    assert not risen, "`python Tests/Style/ceilings.py ROOM` lists them"


def test_wrapping_operators_are_counted():
    text = "a &+ b &* (c &- 1); d &+= 1  // &+\nlet e = f & g && -h"
    assert len(ceilings.WRAPPING.findall(swift_text.stripped(text))) == 4


@pytest.mark.parametrize(
    "loop, counts",
    [
        ("while i < n { use(i); i &+= 1 }", True),
        ("while row <= last &- 1 {\n  if a { b() }\n  row += stride\n}", True),
        ("while left > 0 { step(); left &-= 1 }", True),
        ("while i < n, isOpen { i &+= 1 }", False),
        ("while i < n { if found { i = n }; i &+= 1 }", False),
        ("while i < n { i &+= try length(i) }", False),
        ("while let next = take() { use(next) }", False),
        ("while true { i &+= 1 }", False),
    ],
)
def test_loops_that_only_count_are_known(loop, counts):
    assert bool(swift_text.counting_loops(loop)) == counts


@pytest.mark.parametrize(
    "text, found",
    [
        ("/// What a handle stands for.\nlet a = 1", [1]),
        ("let a = 1  // One more.", [1]),
        ("// A row.\n// What it holds.", []),
        ("/// A row.\n// Whoever falls.", [2]),
        ("// Whatever comes.\n\n// Onerous; Whole.", [1]),
        ('let a = "// What"', []),
    ],
)
def test_first_words_of_comments_are_found(text, found):
    blocks = swift_text.comment_blocks(text)
    assert [number for number, words in blocks if ceilings.RIDDLE.match(words)] == found


def test_guards_that_only_return_are_found():
    text = "guard a else { return }\nguard b else {\n  return\n}\nguard c else { return fail() }"
    assert len(ceilings.SILENT.findall(text)) == 2


def test_functions_are_measured(tmp_path):
    path = tmp_path / "Example.swift"
    path.write_text(
        """
        extension Outer.Inner where A == B {
          /// func comment() {
          func first<T>(_ a: [Int] = [1, 2], then body: (Int) -> Void = { _ in }) -> T
          where T: P {
            let text = "func no() {\\(call { 1 })"
          }
          init?(b: Int) throws(E) { self.init(c: b) }
          var size: Int {
            get { 1 }
          }
          let closure = { 1 }
          var stored: Int = 3
        }
        protocol P {
          func required(a: Int) -> Int
          var value: Int { get }
          init(d: Int)
        }
        @_silgen_name("x")
        private func declared(_ body: () -> Void) -> Int32
        func last() {}
        """
    )
    found = [(function.name, function.line_count) for function in swift_text.functions(path)]
    assert found == [
        ("Outer.Inner.first(_:then:)", 4),
        ("Outer.Inner.init(b:)", 1),
        ("Outer.Inner.size", 3),
        ("P.value", 1),
        ("last()", 1),
    ]
