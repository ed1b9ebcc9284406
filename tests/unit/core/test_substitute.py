"""Substitution: the expressions one by one, and what happens to whole objects."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.glob import matching_prefixes
from sluice.core.substitute import BadExpression, Evaluator
from sluice.core.substitute_object import bad_names, is_written_plain, substitute_object

VARIABLES = {"s": "hello world", "empty": "", "n": "3", "path": "a/b/c.tar.gz", "u": "héllo", "nested": "${s}"}

EXPRESSIONS: list[tuple[str, str]] = [
    ("${s}", "hello world"), ("-${s}-${n}-", "-hello world-3-"), ("$s", "$s"), ("$", "$"), ("a$", "a$"),
    ("$${s}", "${s}"), ("$$", "$"), ("$$$${s}", "$${s}"), ("$$${n}", "$3"), ("{s}", "{s}"), ("$(s)", "$(s)"),
    ("${#s}", "11"), ("${#u}", "6"), ("${#empty}", "0"),
    ("${s^}", "Hello world"), ("${s^^}", "HELLO WORLD"), ("${s,}", "hello world"), ("${s,,}", "hello world"),
    ("${s:6}", "world"), ("${s:0:5}", "hello"), ("${s:6:99}", "world"), ("${s:99}", ""), ("${s:${n}}", "lo world"),
    ("${s: -3}", "hello world"), ("${s:x}", "hello world"), ("${s:0:x}", "hello world"),
    ("${path#*/}", "b/c.tar.gz"), ("${path##*/}", "c.tar.gz"), ("${path%.*}", "a/b/c.tar"), ("${path%%.*}", "a/b/c"),
    ("${path#zz}", "a/b/c.tar.gz"), ("${s#h?llo }", "world"), ("${s#[g-i]}", "ello world"),
    ("${missing-d}", "d"), ("${missing:-d}", "d"), ("${missing=d}", "d"), ("${missing:=d}", "d"), ("${missing:=}", ""),
    ("${empty:-d}", "d"), ("${empty=d}", "d"), ("${n:-d}", "3"), ("${missing:-${n}}", "3"),
    ("${missing:-a-${n}-b}", "a-3-b"), ("${missing:=${also:-deep}}", "deep"), ("${missing:?e}", "e"),
    ("${missing:+e}", "e"), ("${s/o/0}", "hell0 world"), ("${s//o/0}", "hell0 w0rld"), ("${s/#hello/bye}", "bye world"),
    ("${s/%world/x}", "hello x"), ("${s//o/}", "hell wrld"), ("${s/%o/}", "hello world"),
    ("${path//\\//-}", "a-b-c.tar.gz"), ("${nested}", "${s}"), ("é${n}é", "é3é"),
]  # fmt: skip

BAD = [
    "${",
    "${}",
    "${ s}",
    "${s",
    "${s!}",
    "${s+x}",
    "${s?x}",
    "${s#}",
    "${s/a}",
    "${s:}",
    "${s:0:-3}",
    "${#}",
    "${#s",
]


@pytest.mark.parametrize(("text", "result"), EXPRESSIONS)
def test_an_expression_gives_what_flux_gives(text: str, result: str) -> None:
    evaluator = Evaluator(VARIABLES)
    assert evaluator.evaluate(text) == result
    assert evaluator.undefined == []


@pytest.mark.parametrize("text", BAD)
def test_a_malformed_expression_is_refused(text: str) -> None:
    with pytest.raises(BadExpression):
        Evaluator(VARIABLES).evaluate(text)


def test_a_missing_variable_is_noted_in_strict_mode_and_empty_otherwise() -> None:
    strict, lax = Evaluator({}), Evaluator({}, strict=False)
    assert (strict.evaluate("${a}${b^^}${#c}${a}"), strict.undefined) == ("0", ["a", "b", "c"])
    assert (lax.evaluate("[${a}]"), lax.undefined) == ("[]", [])


def test_nesting_has_a_limit() -> None:
    with pytest.raises(BadExpression):
        Evaluator({}).evaluate("${a:-" * 100 + "x" + "}" * 100)


def test_a_pattern_made_to_explode_is_matched_in_linear_time() -> None:
    assert list(matching_prefixes("*a" * 30 + "b", "a" * 20_000)) == []


@given(st.text(max_size=60))
def test_any_text_is_evaluated_or_refused_and_never_fails_otherwise(text: str) -> None:
    evaluator = Evaluator(VARIABLES)
    with contextlib.suppress(BadExpression):
        evaluator.evaluate(text)


@given(st.text(st.characters(exclude_characters="$"), max_size=60), st.text(max_size=30))
def test_a_value_is_never_read_again(text: str, value: str) -> None:
    assert Evaluator({"v": value}).evaluate(text + "${v}") == text + value


def substituted(spec: Any, **variables: str) -> Any:
    value, findings = substitute_object({"kind": "Probe", "metadata": {"name": "x"}, "spec": spec}, variables)
    assert findings == []
    return value["spec"]


@pytest.mark.parametrize(
    ("text", "value", "result"),
    [
        ("${v}", "3", 3), ("${v}", "true", True), ("${v}", "yes", True), ("${v}", "1.5", 1.5), ("${v}", "null", None),
        ("${v}", "", None), ("${v}", "x", "x"), ("${v}0", "3", 30), ("v${v}", "3", "v3"), ("${v}", '"3"', "3"),
        ("${v}", "'3'", "3"), ("${v}", "[a, b]", "[a, b]"), ("${v}", "{a: b}", "{a: b}"), ("${v}", "a: b", "a: b"),
        ("${v}", "x # y", "x # y"), ("${v}", "*x", "*x"), ("a: ${v}", "3", "a: 3"), ("line\n${v}", "3", "line\n3"),
        ("${v}", '"a', '"a'), ("${v}", "a\n---\nb: c", "a\n---\nb: c"),
    ],
)  # fmt: skip
def test_a_text_that_go_writes_unquoted_is_read_again_and_stays_one_scalar(text: str, value: str, result: Any) -> None:
    found = substituted({"k": text}, v=value)
    assert found == {"k": result}
    assert type(found["k"]) is type(result)


def test_where_only_text_is_valid_text_stays() -> None:
    value, _ = substitute_object(
        {
            "kind": "ConfigMap",
            "metadata": {"name": "${n}", "labels": {"a.b/c": "${n}"}, "annotations": {"x": "${n}"}},
            "data": {"k": "${n}"},
        },
        {"n": "3"},
    )
    assert value["metadata"] == {"name": "3", "labels": {"a.b/c": "3"}, "annotations": {"x": "3"}}
    assert value["data"] == {"k": "3"}


@pytest.mark.parametrize("field", ["labels", "annotations"])
def test_an_object_can_opt_out(field: str) -> None:
    value = {"metadata": {field: {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}}, "spec": "${missing}"}
    assert substitute_object(value, {}) == (value, [])


def test_every_place_without_a_value_is_found() -> None:
    _, findings = substitute_object({"kind": "X", "a": ["${one}", {"b": "${two} ${"}], "${three}": 1}, {"known": "x"})
    assert [(f.code.number, f.field) for f in findings] == [("E205", "a[0]"), ("E240", "a[1].b"), ("E205", "${three}")]
    assert "known variables: known" in findings[0].cause


def test_keys_are_substituted_and_may_not_collide() -> None:
    assert substituted({"${k}": 1}, k="a") == {"a": 1}
    _, findings = substitute_object({"kind": "X", "spec": {"a": 1, "${k}": 2}}, {"k": "a"})
    assert [finding.code.number for finding in findings] == ["E209"]


def test_bad_variable_names_are_listed() -> None:
    assert bad_names({"ok": "", "_x1": "", "1a": "", "a-b": "", "": "", "é": ""}) == ["", "1a", "a-b", "é"]


@pytest.mark.parametrize(
    "text", ["", " a", "a ", "- a", "? a", "-", "a: b", "a:", "a #b", "#a", "'a", '"a', "*a", "a\nb", "---"]
)
def test_what_go_quotes_is_known(text: str) -> None:
    assert not is_written_plain(text)
