"""One kustomization file: read, checked against the fields that kustomize knows, its references listed.

kustomize matches field names without regard to case, so a name that differs only in case is refused here: what was
checked must be what is built. For the same reason the build gets this reading of the file, never its bytes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sluice.core import codes
from sluice.core.problem import Code, Origin, Problem
from sluice.core.yaml_position import locate
from sluice.core.yaml_read import read_documents

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_VERSIONS = {"Kustomization": "kustomize.config.k8s.io/v1beta1", "Component": "kustomize.config.k8s.io/v1alpha1"}
_TEXTS = (
    "resources",
    "bases",
    "components",
    "crds",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "patchesStrategicMerge",
    "buildMetadata",
)
_GENERATOR = frozenset(("name", "namespace", "behavior", "literals", "files", "envs", "env", "type", "options"))
_PATCH = frozenset(("path", "patch", "target", "options"))
_ITEMS: dict[str, frozenset[str]] = {
    "configMapGenerator": _GENERATOR,
    "secretGenerator": _GENERATOR,
    "patches": _PATCH,
    "patchesJson6902": _PATCH,
    "replacements": frozenset(("source", "targets", "sourceValue", "path")),
}
_HELM = frozenset(("helmCharts", "helmChartInflationGenerator"))
_KNOWN = frozenset(
    (
        "apiVersion",
        "kind",
        "metadata",
        "openapi",
        "namePrefix",
        "nameSuffix",
        "namespace",
        "commonLabels",
        "labels",
        "commonAnnotations",
        "images",
        "imageTags",
        "replicas",
        "vars",
        "sortOptions",
        "helmGlobals",
        "generatorOptions",
    )
).union(_TEXTS, _ITEMS, _HELM)
_BUILTIN = frozenset(
    (
        "PrefixTransformer",
        "SuffixTransformer",
        "PrefixSuffixTransformer",
        "LabelTransformer",
        "AnnotationsTransformer",
        "NamespaceTransformer",
        "ImageTagTransformer",
        "ReplicaCountTransformer",
        "PatchTransformer",
        "HashTransformer",
        "PatchStrategicMergeTransformer",
        "PatchJson6902Transformer",
        "ReplacementTransformer",
        "SortOrderTransformer",
        "ConfigMapGenerator",
        "SecretGenerator",
    )
)
_FILE_KEYS = frozenset(("path", "paths", "files", "envs", "env", "replacements"))

Kind = Literal["resource", "component", "file", "patch", "inline_patch", "plugin"]


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that a kustomization names: a path, or for inline kinds the text itself. `field` says where."""

    kind: Kind
    text: str
    field: str


@dataclass(frozen=True, slots=True)
class KustomizationFile:
    """A kustomization as it will be built. `own` counts the entries of each list that come from the file."""

    folder: str
    path: str
    data: bytes
    line: int
    value: dict[str, Any]
    commit: str = ""
    own: dict[str, int] = field(default_factory=dict)

    def problem(self, code: Code, title: str, field_path: str, cause: str = "", fix: str = "") -> Problem:
        """Say what is wrong at a field; an entry that the spec added is named as the spec's."""
        name, _, rest = field_path.partition("[")
        number = rest.partition("]")[0]
        if not self.data or (number.isdecimal() and int(number) >= self.own.get(name, 0)):
            index = f"[{int(number) - self.own.get(name, 0)}]" if number.isdecimal() else ""
            where = Origin(self.path, commit=self.commit, renderer="the Kustomization's spec")
            return Problem(code, title, None, where, f"spec.{name}{index}", cause, fix)
        at = locate(self.data, self.line, field_path)
        origin = Origin(self.path, self.line, commit=self.commit)
        if at is not None:
            origin = replace(origin, line=at.line, column=at.column)
        return Problem(code, title, None, origin, field_path, cause, fix)


def read_kustomization(
    data: bytes, path: str, folder: str, commit: str
) -> tuple[KustomizationFile | None, list[Problem]]:
    """Read a kustomization file, and say everything that is wrong with it alone.

    A file whose fields have their types is given even so, because what it refers to can be judged too.
    """
    documents, problems = read_documents(data, path, commit)
    if problems:
        return None, problems
    line, value = (documents[0].line, documents[0].value) if documents else (1, {})
    if not isinstance(value, dict) or len(documents) > 1:
        cause = "it has several documents" if len(documents) > 1 else "it must be a map"
        origin = Origin(path, line, commit=commit)
        return None, [Problem(codes.BAD_TYPE, "not a kustomization", None, origin, "", cause, "correct it")]
    own = {key: len(item) for key, item in value.items() if isinstance(item, list)}
    file = KustomizationFile(folder, path, data, line, value, commit, own)
    problems = list(_check(file))
    return None if any(problem.code is codes.BAD_TYPE for problem in problems) else file, problems


def _check(file: KustomizationFile) -> Iterator[Problem]:
    value = file.value
    kind = value.get("kind") or "Kustomization"
    if not isinstance(kind, str) or kind not in _VERSIONS:
        cause = f"{kind!r}; known: Kustomization, Component"
        yield file.problem(codes.UNSUPPORTED_VERSION, "not a kustomization's kind", "kind", cause, "correct it")
    elif (value.get("apiVersion") or _VERSIONS[kind]) != _VERSIONS[kind]:
        cause = f"{value['apiVersion']!r}; known for {kind}: {_VERSIONS[kind]}"
        yield file.problem(codes.UNSUPPORTED_VERSION, "unknown apiVersion", "apiVersion", cause, "correct it")
    yield from _unknown(file, value, _KNOWN, "")
    for name in _TEXTS:
        yield from _check_texts(file, value.get(name), name)
    for name, known in _ITEMS.items():
        yield from _check_items(file, name, known)
    openapi = value.get("openapi")
    if openapi is not None and not isinstance(openapi, dict):
        yield file.problem(codes.BAD_TYPE, "openapi is not a map", "openapi", "", "correct it")
    elif openapi:
        yield from _unknown(file, openapi, frozenset(("path", "version")), "openapi.")
        yield from _check_texts(file, [openapi.get("path") or ""], "openapi.path")
    for name in sorted(_HELM & value.keys()):
        cause = "kustomize would run helm and fetch the chart"
        fix = "use a HelmRelease, or commit the rendered chart"
        yield file.problem(codes.PLUGIN_OFF, f"{name} is switched off", name, cause, fix)


def _unknown(file: KustomizationFile, value: dict[str, Any], known: frozenset[str], prefix: str) -> Iterator[Problem]:
    for key in value:
        if key not in known:
            lowered = {name.lower(): name for name in known}
            near = difflib.get_close_matches(key.lower(), lowered, n=1)
            fix = f"did you mean {lowered[near[0]]}?" if near else "remove it"
            yield file.problem(codes.UNKNOWN_FIELD, f"unknown field {key!r}", f"{prefix}{key}", "", fix)


def _check_texts(file: KustomizationFile, value: Any, name: str) -> Iterator[Problem]:
    if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        yield file.problem(codes.BAD_TYPE, f"{name} must be a list of texts", name, "", "correct it")


def _check_items(file: KustomizationFile, name: str, known: frozenset[str]) -> Iterator[Problem]:
    items = file.value.get(name)
    if items is None:
        return
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        fix = "write each as `- path: FILE`, or under patchesStrategicMerge" if name == "patches" else "correct it"
        yield file.problem(codes.BAD_TYPE, f"{name} must be a list of maps", name, "", fix)
        return
    for index, item in enumerate(items):
        yield from _unknown(file, item, known, f"{name}[{index}].")
        for key in ("files", "envs", "literals"):
            yield from _check_texts(file, item.get(key), f"{name}[{index}].{key}")
        for key in ("path", "env", "patch"):
            if item.get(key) is not None and not isinstance(item[key], str):
                yield file.problem(codes.BAD_TYPE, f"{key} must be text", f"{name}[{index}].{key}", "", "correct it")


def references(file: KustomizationFile) -> Iterator[Reference]:
    """List what a checked kustomization names, in the order in which kustomize reads it."""
    value = file.value
    for name, kind in _PATH_LISTS:
        for index, text in enumerate(value.get(name) or ()):
            is_inline = name == "patchesStrategicMerge" and _is_inline(text)
            yield Reference("inline_patch" if is_inline else kind, text, f"{name}[{index}]")
    for name in ("patches", "patchesJson6902", "replacements"):
        for index, item in enumerate(value.get(name) or ()):
            if item.get("path"):
                yield Reference("file" if name == "replacements" else "patch", item["path"], f"{name}[{index}].path")
            if item.get("patch"):
                yield Reference("inline_patch", item["patch"], f"{name}[{index}].patch")
    for name in ("configMapGenerator", "secretGenerator"):
        for index, item in enumerate(value.get(name) or ()):
            yield from generator_files(item, f"{name}[{index}]")
    if (value.get("openapi") or {}).get("path"):
        yield Reference("file", value["openapi"]["path"], "openapi.path")


def _is_inline(text: str) -> bool:
    """True for a patch that stands in the list itself; what starts with '/' is taken for a path, and refused."""
    return not text.startswith("/") and ("\n" in text or text.startswith("{") or ": " in text)


_PATH_LISTS: tuple[tuple[str, Kind], ...] = (
    ("resources", "resource"),
    ("bases", "resource"),
    ("components", "component"),
    ("crds", "file"),
    ("configurations", "file"),
    ("generators", "plugin"),
    ("transformers", "plugin"),
    ("validators", "plugin"),
    ("patchesStrategicMerge", "patch"),
)


def generator_files(item: dict[str, Any], name: str) -> Iterator[Reference]:
    """List the files that a ConfigMap or Secret generator reads; an entry may be `key=path`."""
    for position, text in enumerate(item.get("files") or ()):
        yield Reference("file", text.rpartition("=")[2], f"{name}.files[{position}]")
    for position, text in enumerate(item.get("envs") or ()):
        yield Reference("file", text, f"{name}.envs[{position}]")
    if item.get("env"):
        yield Reference("file", item["env"], f"{name}.env")


def plugin_references(value: Any) -> tuple[list[Reference], str]:
    """List the files of a transformer's or generator's configuration, or say why it is refused."""
    if not isinstance(value, dict) or value.get("apiVersion") != "builtin" or str(value.get("kind")) not in _BUILTIN:
        return [], "only kustomize's builtin transformers and generators run here"
    metadata = value.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(annotations, dict) and any("function" in str(key) for key in annotations):
        return [], "functions do not run here"
    if odd := [key for key in value if key.lower() in _FILE_KEYS and key not in _FILE_KEYS]:
        return [], f"the field {odd[0]!r} is misspelt"
    found = [Reference("file", text, "") for key in ("path", "env") if isinstance(text := value.get(key), str)]
    for key in ("paths", "files", "envs"):
        texts = value.get(key)
        found += [
            Reference("file", str(text).rpartition("=")[2], "") for text in texts or () if isinstance(texts, list)
        ]
    replacements = value.get("replacements")
    for item in replacements if isinstance(replacements, list) else ():
        if not isinstance(item, dict) or any(key.lower() == "path" and key != "path" for key in item):
            return [], "replacements must be a list of maps"
        if item.get("path"):
            found.append(Reference("file", str(item["path"]), ""))
    return found, ""
