"""kustomize's English to Problems. It has no error codes, so its sentences are matched here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable

from sluice.core import codes
from sluice.core.problem import Code, Problem
from sluice.render import kubectl
from sluice.render.closure import Closure
from sluice.render.json_patch import operation_at
from sluice.render.kubectl import Outcome
from sluice.render.kustomization_file import KustomizationFile
from sluice.render.kustomize_written import nameless, twice

_ROOT = re.compile(r"recursed accumulation of path '(?P<folder>[^']*)'")
_REPLACEMENT = "|".join(
    (
        r"fieldPath `[^`]*` is missing for replacement source[^\n]*",
        r"nothing selected by [^\n]*",
        r"unable to find or create field [^\n]*",
        r"unable to find field [^\n]*",
        r"replacements must specify[^\n]*",
        r"error looking up replacement[^\n]*",
        r"var '[^']*' cannot be mapped[^\n]*",
        r"field specified in var '[^']*' not found[^\n]*",
        r"multiple matches for [^\n]*",
    )
)
# A sentence of kustomize, and what it means.
_RULES: tuple[tuple[re.Pattern[str], Code, str, str], ...] = tuple(
    (re.compile(pattern), code, title, fix)
    for pattern, code, title, fix in (
        (
            (
                r"no matches for Id (?P<what>[^\s;]+)"
                r"|no resource matches strategic merge patch \"(?P<named>[^\"]+)\""
            ),
            codes.PATCH_NO_TARGET,
            "a patch matches no object",
            "correct its kind, name or namespace",
        ),
        (
            (
                r"(?P<what>\w+) operation does not apply: doc is missing (?:key|(?:from )?path): \"?"
                r"(?P<path>/[^\s\":]*)"
                r"|error in (?P<verb>\w+) for path: '(?P<at>[^']*)'"
            ),
            codes.PATCH_INVALID,
            "a JSON patch does not apply: no such path",
            "correct the path",
        ),
        (
            r"(?P<what>\w+) operation does not apply[^\n]*",
            codes.PATCH_INVALID,
            "a JSON patch does not apply",
            "correct it",
        ),
        (r"testing value (?P<path>\S+) failed", codes.PATCH_INVALID, "a JSON patch's test fails", "correct the value"),
        (
            r"unable to parse SM or JSON patch[^\n]*|must specify a target for JSON patch[^\n]*",
            codes.PATCH_INVALID,
            "a patch is not valid",
            "correct it",
        ),
        (_REPLACEMENT, codes.REPLACEMENT, "a replacement or variable is not resolved", "correct its source or target"),
        (r"json: unknown field \"(?P<what>[^\"]+)\"", codes.UNKNOWN_FIELD, "unknown field", "remove it"),
        (
            r"may not add resource with an already registered id: (?P<what>[^\s']+)",
            codes.DUPLICATE_OBJECT,
            "an object is defined twice",
            "remove one, or make it a patch",
        ),
        (
            r"namespace transformation produces ID conflict",
            codes.DUPLICATE_OBJECT,
            "setting one namespace makes one object of several",
            "take `namespace:` or spec.targetNamespace away, or split the folder",
        ),
        (r"cycle detected[^\n]*", codes.KUSTOMIZE_CYCLE, "kustomizations refer in a circle", "cut it"),
        (
            r"missing metadata\.name in object[^\n]*|missing Resource metadata",
            codes.MISSING_FIELD,
            "an object lacks metadata.name",
            "add it",
        ),
        (r"MalformedYAMLError[^\n]*", codes.YAML_SYNTAX, "not valid YAML", "correct it"),
    )
)


# Go's runtime ends a process so: out of memory above all. What kustomize itself has to say, it says with 1.
GO_ABORTED = 2


def translate(outcome: Outcome, source: str, root: KustomizationFile, closure: Closure) -> tuple[Problem, ...]:
    """Say why a build failed: at the objects that its message is about, else at the deepest kustomization it names."""
    if outcome.status is None:
        code = codes.RENDER_TIMEOUT if outcome.limit.endswith(" s") else codes.FILE_TOO_BIG
        cause = f"it took more than {outcome.limit}"
        return (root.problem(code, "kustomize was stopped", "", cause, "make it smaller"),)
    text = outcome.errors.strip()
    folders = [folder.removeprefix(source).strip("/") for folder in _ROOT.findall(text)]
    kustomizations = closure.kustomizations
    file = next((kustomizations[folder] for folder in reversed(folders) if folder in kustomizations), root)
    text = text.replace(f"{source}/", "").replace(source, ".")
    if outcome.status < 0 or outcome.status == GO_ABORTED:
        why = f"signal {-outcome.status}" if outcome.status < 0 else text.partition("\n")[0]
        limit = f"it may have {kubectl.MAX_MEMORY >> 20} MiB of memory"
        return (file.problem(codes.KUSTOMIZE_FAILED, "kustomize died", "", f"{why}; {limit}", "make it smaller"),)
    for pattern, code, title, fix in _RULES:
        match = pattern.search(text)
        if match is not None:
            field, cause = _place(file, code, match)
            return _written(code, cause, closure, root) or (file.problem(code, title, field, cause, fix),)
    lines = [line for line in text.splitlines() if not line.startswith("# Warning")]
    cause = lines[-1] if lines else ""
    return (file.problem(codes.KUSTOMIZE_FAILED, "kustomize could not build", "", cause, ""),)


def _written(code: Code, cause: str, closure: Closure, root: KustomizationFile) -> tuple[Problem, ...]:
    """The same at the objects themselves; empty where they are not found."""
    if code is codes.MISSING_FIELD:
        return nameless(closure, root.commit)
    problem = twice(cause, closure, root.commit) if code is codes.DUPLICATE_OBJECT else None
    return (problem,) if problem is not None else ()


def _place(file: KustomizationFile, code: Code, match: re.Match[str]) -> tuple[str, str]:
    """Find the entry that the message is about, and make the cause."""
    found = match.groupdict()
    cause = found.get("what") or found.get("named") or match[0]
    if code is codes.PATCH_NO_TARGET:
        name = re.sub(r"\..*", "", cause.strip('"').rpartition("/")[2])
        return _entry(file, lambda text: name in text), cause.strip('"')
    path = found.get("path") or found.get("at")
    if code is codes.PATCH_INVALID and path:
        return _operation(file, found.get("what") or found.get("verb") or "test", path)
    if code is codes.REPLACEMENT:
        return "vars" if "var '" in match[0] else "replacements", match[0]
    if code is codes.DUPLICATE_OBJECT:
        return ("resources", cause) if found.get("what") else ("namespace", "")
    return "", cause


def _operation(file: KustomizationFile, verb: str, path: str) -> tuple[str, str]:
    """Find the JSON patch operation that has a path."""
    for index, item in enumerate(file.value.get("patches") or ()):
        operation = operation_at(str(item.get("patch") or "").encode(), path)
        if operation is not None:
            return f"patches[{index}]", f"operation {operation} ({verb} {path})"
    return "patches", f"{verb} {path}"


def _entry(file: KustomizationFile, fits: Callable[[str], bool]) -> str:
    for name in ("patches", "patchesStrategicMerge"):
        for index, item in enumerate(file.value.get(name) or ()):
            text = item if isinstance(item, str) else str(item.get("patch") or item.get("path") or "")
            if fits(text):
                return f"{name}[{index}]"
    return "patches" if file.value.get("patches") else "patchesStrategicMerge"
