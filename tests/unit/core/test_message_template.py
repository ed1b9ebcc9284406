"""Commit message templates: what they can ask, what stops them, and what they can not do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.ids import NamespacedName
from sluice.core.image_update.result import FileObject, ImageChange
from sluice.core.message_template.data import DEFAULT_TEMPLATE, template_data
from sluice.core.message_template.fault import TemplateRefused
from sluice.core.message_template.fluxd import (
    automated_message,
    containers_message,
    policies_message,
    policy_events,
    release_message,
)
from sluice.core.message_template.render import FUNCTIONS, check, render

WEB = FileObject("apps/v1", "Deployment", "shop", "web")
CHANGES = (
    ImageChange("b.yaml", 3, WEB, "spec.image", "flux-system:web", "web:v1", "web:v2"),
    ImageChange("a.yaml", 3, WEB, "spec.image", "flux-system:web", "web:v1", "web:v2"),
)
DATA = template_data(NamespacedName("flux-system", "apps"), CHANGES, {"cluster": "prod"})


def refusal(template: str) -> tuple[str, str]:
    with pytest.raises(TemplateRefused) as refused:
        render(template, DATA)
    problem = refused.value.problems[0]
    return problem.code.number, problem.cause


def test_a_template_asks_the_automation_its_changes_and_its_values() -> None:
    template = "{{ .AutomationObject }} {{ .Values.cluster }}: {{ range .Changed.Changes }}{{ .NewValue }}{{ end }}"
    assert render(template, DATA) == "flux-system/apps prod: web:v2"


def test_files_and_objects_come_in_the_order_of_their_names() -> None:
    template = "{{ range $file, $_ := .Changed.FileChanges }}{{ $file }} {{ end }}{{ len .Changed.Objects }}"
    assert render(template, DATA) == "a.yaml b.yaml 1"


def test_the_default_message_is_that_of_flux() -> None:
    assert render(DEFAULT_TEMPLATE, DATA) == "Update from image update automation"


def test_a_hostile_name_or_value_adds_no_line_to_the_message() -> None:
    forged = "\nSigned-off-by: root\x1b[2J"
    change = ImageChange(
        f"a{forged}.yaml", 1, FileObject("v1", f"K{forged}", "", f"n{forged}"), "x", "a:b", forged, "v2"
    )
    template = (
        "{{ .Changed }} {{ range $k, $v := .Changed.FileChanges }}{{ $k }}{{ end }}{{ .Changed.Objects | toString }}"
    )
    message = render(template, template_data(NamespacedName("a", "b"), [change], {}))
    assert message.isprintable()
    assert "\\nSigned-off-by: root\\x1b[2J" in message


@pytest.mark.parametrize(
    ("template", "code", "cause"),
    [
        ("a\n{{ nope 1 }}", "E563", "line 2: there is no function 'nope'"),
        ("a\n{{ if .Values }}\n", "E563", "line 2: {{if}} has no {{end}}"),
        ("{{ .Values\n", "E563", "line 2: an action is not closed with '}}'"),
        ("{{ end }}", "E563", "line 1: '{{end}}' has nothing that it could belong to"),
        ("{{ $x }}", "E563", "line 1: the variable '$x' is not defined"),
        ("\n\n{{ .Nope }}", "E564", "line 3: there is no field Nope in a source.TemplateData"),
        ('\n{{ fail "enough" }}', "E564", "line 2: fail: enough"),
        ("{{ upper 3 }}", "E564", "line 1: upper: a string is expected, not int"),
        ("{{ trunc 3 }}", "E564", "line 1: trunc: trunc takes 2 arguments, not 1"),
        ("{{ index .Changed.Changes 5 }}", "E564", "line 1: index: the index 5 is out of range"),
        ("{{ div 1 0 }}", "E564", "line 1: div: integer divide by zero"),
        ("\n{{ .Updated.Images }}", "E566", "line 2: the field Updated is there no longer"),
        ("{{ .Changed.ImageResult }}", "E566", "line 1: the field ImageResult is there no longer"),
    ],
)
def test_an_error_names_its_line_and_its_cause(template: str, code: str, cause: str) -> None:
    assert refusal(template) == (code, cause)


@pytest.mark.parametrize(
    "template",
    [
        '{{ repeat 1000000000 "x" }}',
        "{{ until 1000000000 }}",
        "{{ untilStep 0 1000000000 1 }}",
        "{{ seq 1000000000 }}",
        "{{ range 1000000000 }}{{ end }}",
        '{{ printf "%1000000000d" 1 }}',
        '{{ printf "%.1000000000f" 1.0 }}',
        '{{ indent 1000000000 "x" }}',
        '{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}',
        "{{ range until 1000 }}{{ range until 1000 }}{{ end }}{{ end }}",
        "{{ $x := list 1 1 }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}{{ $x }}",
        '{{ $x := "aaaaaaaaaa" }}{{ range until 60 }}{{ $x = print $x $x }}{{ end }}{{ $x }}',
        '{{ $x := dict "a" 1 }}{{ range until 60 }}{{ $x = dict "a" $x "b" $x }}{{ end }}{{ toJson $x }}',
        '{{ $x := repeat 1000 "a" }}{{ range until 1000 }}{{ replace "a" $x $x }}{{ end }}',
        '{{ $x := repeat 100000 "a" }}{{ range until 50 }}{{ $x }}{{ end }}',
        '{{ $x := list (repeat 100000 "a") }}{{ range until 9 }}{{ $x = concat $x $x }}{{ end }}{{ join "" $x }}',
        '{{ $x := repeat 400000 "a" }}{{ range until 9999 }}{{ $y := title $x }}{{ end }}',
        "{{ $x := until 9999 }}{{ range until 9999 }}{{ $y := uniq $x }}{{ end }}",
        "{{ $x := until 9999 }}{{ range until 9999 }}{{ $y := has -1 $x }}{{ end }}",
        "{{ $x := list }}{{ range until 2000 }}{{ $x = append $x (list .) }}{{ end }}{{ uniq $x }}",
        '{{ regexFindAll "a.*z|a" (repeat 100000 "a") -1 }}',
        '{{ regexReplaceAll "a" (repeat 4000 "a") (repeat 256 "b") }}',
        '{{ $x := repeat 4000 "a" }}{{ range until 9999 }}{{ $y := regexFindAll "a.*z|a" $x 1 }}{{ end }}',
        "{{ mul 1 1 }}" * 6_000,
        "x" * 100_000,
    ],
)
def test_no_template_takes_more_than_its_share(template: str) -> None:
    assert refusal(template)[0] == "E565"


@pytest.mark.parametrize("nesting", ["{{ if 1 }}", "{{ (", "{{ range list }}"])
def test_a_template_is_not_nested_without_end(nesting: str) -> None:
    assert refusal(nesting * 3_000)[0] == "E563"


@pytest.mark.parametrize(
    "name", ["env", "expandenv", "now", "date", "getHostByName", "randAlpha", "genCA", "call", "js"]
)
def test_nothing_outside_of_its_data_can_be_reached(name: str) -> None:
    with pytest.raises(TemplateRefused, match=f"there is no function '{name}'"):
        check(f"{{{{ {name} }}}}")


@pytest.mark.parametrize("field", ["__class__", "fields", "keys", "items", "text", "real"])
def test_attributes_of_python_are_no_fields(field: str) -> None:
    for value in (
        "$",
        ".AutomationObject",
        ".Changed",
        ".Values.cluster",
        "(list)",
        "(add 1 1)",
        "(index .Changed.Changes 0)",
    ):
        template = f"{{{{ ({value}).{field} }}}}"
        try:
            assert render(template, DATA) == "<no value>"
        except TemplateRefused as refused:
            assert "there is no field" in str(refused)  # noqa: PT017  either is right


PIECES = st.sampled_from([*"{}-/* .$x:=|()\"`'\\n1a,", "{{", "}}", "if ", "end", "range ", "{{ end }}", "list "])


@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_text_is_a_template_or_is_refused(text: str) -> None:
    try:
        assert isinstance(render(text, DATA), str)
    except TemplateRefused as refused:
        assert refused.problems[0].cause.startswith("line ")  # noqa: PT017


def test_fluxds_message_of_an_automated_release_lists_its_images() -> None:
    assert automated_message(["a:1"]) == "Auto-release a:1"
    assert automated_message(["a:1", "b:2"]) == "Auto-release multiple (2) images\n\n - a:1\n - b:2\n"


def test_fluxds_message_of_a_release_names_image_and_workloads() -> None:
    assert release_message("a:1", ["shop:deployment/web"]) == "Release a:1 to shop:deployment/web"
    assert release_message(None, []) == "Release all latest to all"


def test_fluxds_message_of_chosen_containers_lists_them_by_workload() -> None:
    updates = {"shop:deployment/web": ["a:1", "b:2"], "shop:deployment/db": ["c:3"]}
    assert containers_message(updates) == (
        "Update image refs in shop:deployment/web, shop:deployment/db\n"
        "\nshop:deployment/web\n- a:1\n- b:2\n\nshop:deployment/db\n- c:3\n"
    )


def test_fluxds_message_of_policies_has_a_heading_only_where_there_is_something_to_head() -> None:
    one, two = ("Automated", ["x:deployment/a", "x:deployment/b"]), ("Locked", ["x:deployment/a"])
    assert policies_message([one]) == "Automated: x:deployment/a, x:deployment/b\n"
    assert policies_message([one, two]) == (
        "Updated workload policies\n\n- Automated: x:deployment/a, x:deployment/b\n- Locked: x:deployment/a\n"
    )
    assert policies_message([two], "hold it") == "hold it\n\n- Locked: x:deployment/a\n"


@pytest.mark.parametrize(
    ("add", "remove", "events"),
    [
        (["automated"], [], ("Automated",)),
        ([], ["automated"], ("Deautomated",)),
        (["locked", "locked_user"], [], ("Locked", "Updated policies")),
        ([], ["locked"], ("Unlocked",)),
        (["tag.web", "tag.db"], [], ("Updated policies",)),
    ],
)
def test_a_change_of_policies_is_called_what_fluxd_called_it(
    add: list[str], remove: list[str], events: tuple[str, ...]
) -> None:
    assert policy_events(add, remove) == events


def test_every_function_is_named_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "commit-messages.md").read_text()
    assert [name for name in FUNCTIONS if f"`{name}`" not in page] == []
