"""Which texts Go's YAML writer leaves unquoted: our rule against kustomize's output."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from sluice.core.substitute_object import is_written_plain
from sluice.render.kubectl import find_kubectl

V = "${v}"
TEXTS = [
    V, f"x{V}", f"{V}x", f"{V} y", f"a: {V}", f"a:{V}", f"{V}:", f"{V}: b",
    f"- {V}", f"-{V}", f"? {V}", f"?{V}", f":{V}",
    f": {V}", f"#{V}", f"a #{V}", f"a#{V}", f"'{V}'", f'"{V}"', f'a"{V}"', f"*{V}", f"&{V}", f"!{V}", f"|{V}", f">{V}",
    f"%{V}", f"@{V}", f"`{V}`", f"[{V}]", f"a[{V}]", "{" + V + "}", "a{" + V + "}", f",{V}", f"a,{V}", f" {V}", f"{V} ",
    f"---{V}", f"--- {V}", f"...{V}", f"a\n{V}", f"a\t{V}", f"{V}é", f"{V}\u202e", f"~{V}", f"<<{V}", f"={V}", f"1{V}",
    f"0x{V}", f"yes{V}", f"{V}://x/y?z=1&b", f"\\{V}", f"{V}\u00a0x", f"{V}\U0001f600",
]  # fmt: skip


def test_our_rule_agrees_with_what_kustomize_writes(tmp_path: Path) -> None:
    spec = {f"k{index}": text for index, text in enumerate(TEXTS)}
    probe = {"apiVersion": "example.com/v1", "kind": "Probe", "metadata": {"name": "a"}, "spec": spec}
    (tmp_path / "a.yaml").write_text(json.dumps(probe, ensure_ascii=False))
    (tmp_path / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    command = [str(find_kubectl()), "kustomize", str(tmp_path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, env={"HOME": str(tmp_path)}).stdout
    written = dict(line.strip().split(": ", 1) for line in output.splitlines() if line.startswith("  k"))
    assert len(written) == len(TEXTS)
    quoted = {text: not written[f"k{index}"].startswith(("'", '"', "|")) for index, text in enumerate(TEXTS)}
    assert {text: is_written_plain(text) for text in TEXTS} == quoted
