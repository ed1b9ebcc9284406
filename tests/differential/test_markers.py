"""Markers are where the YAML library of Flux's setters sees them."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.core.image_update.marker import find_markers
from sluice.core.yaml_error import dotted
from sluice.core.yaml_text import EditRefused, open_text
from tests.differential.go_originals import Originals

ASKING = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

MARKERS = ["a:b", "a:b:tag", "c:d:name"]
COMMENTS = st.one_of(
    st.sampled_from(["", "", "", " # why", " #x"]),
    st.sampled_from(MARKERS).map(lambda name: f' # {{"$imagepolicy": "{name}"}}'),
    st.sampled_from(MARKERS).map(lambda name: f'   ##{{"$imagepolicy":"{name}","x":"y"}} '),
    st.sampled_from([' # {"$imagepolicy": "a:b"} x', ' # {"$imagepolicy": 3}', ' # {"$imagepolicy": ""}']),
)
VALUES = st.sampled_from(["x", "'x'", '"x # y"', "", "[x, y]", "{x: y}", "x y", "&z x", "!!str 1", "'a\n    b'", "~"])
BLOCKS = st.sampled_from([">-", "|-", "|"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Block maps and lists with comments behind and between their values."""
    lines: list[str] = []
    for number in range(draw(st.integers(1, 5))):
        if draw(st.integers(0, 3)) == 0:
            lines.append(draw(st.sampled_from(["", "# own", '# {"$imagepolicy": "a:b"}'])))
        shape = draw(st.sampled_from(["value", "value", "list", "map", "block", "flow"]))
        start = f"k{number}:"
        if shape == "value":
            lines.append(f"{start} {draw(VALUES)}{draw(COMMENTS)}")
        elif shape == "list":
            lines.append(start + draw(COMMENTS))
            for _ in range(draw(st.integers(1, 3))):
                if draw(st.integers(0, 2)) == 0:
                    lines.append(draw(st.sampled_from(["", "# own", '# {"$imagepolicy": "a:b"}'])))
                lines.append(f"- {draw(VALUES)}{draw(COMMENTS)}")
        elif shape == "map":
            lines.append(start + draw(COMMENTS))
            lines.append(f"  a: {draw(VALUES)}{draw(COMMENTS)}")
            lines.append(f"  b: x{draw(COMMENTS)}")
        elif shape == "block":
            lines += [f"{start} {draw(BLOCKS)}{draw(COMMENTS)}", f"  text{draw(COMMENTS)}"]
        else:
            lines += [f"{start} [", f"  x,{draw(COMMENTS)}", f"  y{draw(COMMENTS)}", f"]{draw(COMMENTS)}"]
    return "\n".join(lines) + "\n"


@ASKING
@given(text=documents())
def test_a_marker_marks_the_value_that_it_marks_in_flux(originals: Originals, text: str) -> None:
    theirs = originals.ask("markers", text)
    try:
        file = open_text(text.encode(), "a.yaml")
    except EditRefused:
        return
    markers, problems = find_markers(file)
    # A key that has a marker and no value yet gets one here; to Flux's library the comment belongs to no value.
    ours = {dotted(m.address.path): str(m) for m in markers if file.branch(m.address)[-1].text}
    wanted = {path.removeprefix("."): name for path, name in (theirs or {}).items()}
    assert ours == wanted, problems
