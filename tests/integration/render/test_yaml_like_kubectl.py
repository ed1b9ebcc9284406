"""Our YAML reader against the API machinery's own, which `kubectl annotate --local` shows without any server."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sluice.core.yaml_read import read_documents
from sluice.render.kubectl import find_kubectl

HEAD = "apiVersion: example.com/v1\nkind: Probe\nmetadata:\n  name: probe\n"

SCALARS = """
y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF
true|True|TRUE|false|False|FALSE|tRue|yEs|oN
~|null|Null|NULL|nULL|
0|-0|+0|7|-7|+7|08|09|010|0777|-0777|+0777|0o777|0O17|-0o17|0x1F|0X1f|-0x1F|0b101|-0b101|0b2|0x|0o8
1_000|1__0|_1|1_|0x_1F|0_7|1_000.5|12_3e4|._5|.5_
1.0|1.|.5|-.5|+.5|1e3|1E3|1e+3|1e-3|1.5e3|1e|e1|.e1|1.2.3|1e3.5|0.1|1e20|1e21|-1.5e-7|00.5|1_0.5_0
9223372036854775807|-9223372036854775808
12:30|12:30:45|1:30|190:20:30|2001-12-14|2001-12-14t21:59:43.10-05:00|2021-01-01 00:00:00
=|<|--|---x|...x|a-b|a:b|a#b|"#x"|'it''s'|"a\\tb"|"\\u263a"|"\\x41"|'1'|"yes"|'~'|"0777"
!!str 5|!!str yes|!!int "5"|!!float "1.5"|!!float 1|!!bool "yes"
!!null ""|!!binary aGVsbG8=|! 5|!foo 5|!!timestamp 2001-01-01
[1, yes, 0x10]|{a: on, b: 1e3}|[]|{}|{on: 1}|{8: 1}|{1e3: 1}|{1.5: x}|{0777: x}|{true: 1}|[a, [b, [c]]]|{? a : b}
.inf1|.nano|infinity|nan|NaN|Inf|+|1,000|1 000|0xG|1e5_0|1_e5|é|日本|a  b|a\\b|'a\\b'
""".strip("\n")

BODIES = [
    "a: &x {b: 1}\nc: *x\nd: *x\n",
    "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n",
    "a: &x {b: 1}\ne: &y {b: 2, f: 3}\nd:\n  <<: [*x, *y]\n",
    "a: |\n  one\n  two\n",
    "a: |-\n  one\n\n  two\n\n",
    "a: |+\n  one\n\n",
    "a: >\n  one\n  two\n\n  three\n",
    "a: >-\n   x\n    y\n",
    "a: one\n  two\n  three\n",
    "a: 'one\n\n  two'\n",
    'a: "one \\\n  two"\n',
    "a: # comment\n  b\n",
    "a:\n- b\n- c\n",
    "a:\n  - - 1\n    - 2\n",
    "'yes': 1\nyes: 2\n".replace("'yes'", "'no way'"),
    "a: {b: [1, {c: d}], e: f}\n",
    "a: ''\nb: \"\"\nc:\n",
    "a: b\r\nc: d\r\n",
]

REFUSED_BY_BOTH = [
    "a: -",
    "a: .inf", "a: -.INF", "a: .nan", "a: {{ x }}", "? [a]\n: b", "a: *nope", "a: b: c", "\ta: b", "a: [b", "a: 'b",
    "a: !!int x", "a: &x [*x]", "a: \x01", "%YAML 1.2\n---\na: b", "--- |\n x", 'a: "\\ud83d\\ude00"', "a: @b",
    "a: `b`",
    "a: %b", "null: a", "~: a",
]  # fmt: skip

STRICTER = [
    ("a: 1\na: 2\n", "E209"),
    ("on: 1\nyes: 2\n", "E209"),
    ("a: 1e400\n", "E228"),
    ("a: 18446744073709551615\n", "E228"),
    ("a: 9223372036854775808\n", "E228"),
    ("a: 1\n...\nb: 2\n", "E202"),
]


def kubectl_reads(tmp_path: Path, text: str) -> Any:
    """What Kubernetes' reader makes of a file, or None when it refuses it."""
    file = tmp_path / "probe.yaml"
    file.write_bytes(text.encode())
    command = [str(find_kubectl()), "annotate", "--local", "-f", str(file), "x=1", "-o", "json"]
    run = subprocess.run(command, capture_output=True, env={"HOME": str(tmp_path)}, check=False)
    return json.loads(run.stdout)["spec"] if run.returncode == 0 and run.stdout else None


def we_read(text: str) -> Any:
    documents, problems = read_documents(text.encode(), "probe.yaml")
    assert not problems, [str(problem) for problem in problems]
    return documents[0].value["spec"]


def indented(body: str) -> str:
    return HEAD + "spec:\n" + "".join(f"  {line}" if line.strip() else line for line in body.splitlines(keepends=True))


def same(ours: Any, theirs: Any) -> bool:
    """Equal in value and in JSON's types; Go writes a large whole float without its point."""
    return json.dumps(ours, sort_keys=True) == json.dumps(as_int64(theirs), sort_keys=True)


def as_int64(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_int64(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_int64(item) for item in value]
    return float(value) if isinstance(value, int) and not -(2**63) <= value < 2**63 else value


def test_a_hundred_tricky_scalars_have_the_type_that_kubernetes_gives_them(tmp_path: Path) -> None:
    scalars = [scalar for line in SCALARS.splitlines() for scalar in line.split("|")]
    text = HEAD + "spec:\n" + "".join(f"  k{index}: {scalar}\n" for index, scalar in enumerate(scalars))
    theirs = kubectl_reads(tmp_path, text)
    assert theirs is not None
    ours = we_read(text)
    differing = {
        scalar: (ours.get(f"k{index}"), theirs.get(f"k{index}"))
        for index, scalar in enumerate(scalars)
        if not same(ours.get(f"k{index}"), theirs.get(f"k{index}"))
    }
    assert len(scalars) > 150
    assert differing == {}


@pytest.mark.parametrize("body", BODIES)
def test_a_structure_is_read_as_kubernetes_reads_it(tmp_path: Path, body: str) -> None:
    text = indented(body)
    assert same(we_read(text), kubectl_reads(tmp_path, text))


@pytest.mark.parametrize("text", REFUSED_BY_BOTH)
def test_what_kubernetes_refuses_we_refuse(tmp_path: Path, text: str) -> None:
    whole = text if text.startswith(("%", "---")) else indented(text + "\n")
    assert kubectl_reads(tmp_path, whole) is None
    _, problems = read_documents(whole.encode(), "probe.yaml")
    assert problems


@pytest.mark.parametrize(("body", "number"), STRICTER)
def test_what_kubernetes_loses_silently_we_refuse(tmp_path: Path, body: str, number: str) -> None:
    text = indented(body) if "..." not in body else HEAD + "spec: {a: 1}\n...\nb: 2\n"
    assert kubectl_reads(tmp_path, text) is not None
    _, problems = read_documents(text.encode(), "probe.yaml")
    assert [problem.code.number for problem in problems] == [number]


def test_random_number_like_scalars_agree(tmp_path: Path) -> None:
    random_source = random.Random(7)  # a fixed seed: the same scalars every run
    scalars = [
        "".join(random_source.choices("0123456789_.eExob+-:", k=random_source.randint(1, 7))) for _ in range(3000)
    ]
    safe = []
    for scalar in scalars:
        documents, problems = read_documents(f"a: {scalar}\n".encode(), "x")
        if not problems and documents and isinstance(documents[0].value, dict) and set(documents[0].value) == {"a"}:
            safe.append(scalar)
    text = HEAD + "spec:\n" + "".join(f"  k{index}: {scalar}\n" for index, scalar in enumerate(safe))
    theirs, ours = kubectl_reads(tmp_path, text), we_read(text)
    assert theirs is not None
    differing = {
        s: (ours[f"k{i}"], theirs[f"k{i}"]) for i, s in enumerate(safe) if not same(ours[f"k{i}"], theirs[f"k{i}"])
    }
    # Go's parser also takes a sign between `0b` and the digits; no one writes that.
    assert {scalar for scalar in differing if not scalar.startswith(("0b+", "0b-"))} == set()
    assert len(safe) > 2000
