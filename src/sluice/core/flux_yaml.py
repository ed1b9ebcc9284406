"""fluxd's `.flux.yaml`, version 1: which commands make a path's manifests, and which change them. Pure.

The form is fluxd's (`version: 1` and one of `patchUpdated`, `commandUpdated`, `scanForFiles`); a key that it does not
have is refused, as fluxd has done since 1.18. `timeout` of a command came with 1.21.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any

from sluice.core import codes
from sluice.core.duration import parse_duration
from sluice.core.errors import UserError
from sluice.core.problem import Origin, Problem, clip, printable
from sluice.core.yaml_position import locate
from sluice.core.yaml_read import read_documents

NAME = ".flux.yaml"
MAX_COMMANDS = 50
MAX_COMMAND = 32_768
# Limits of one command's time: what fluxd gave, and the most that a file may ask for.
SECONDS = 60.0
MAX_SECONDS = 600.0
_MODES = ("patchUpdated", "commandUpdated", "scanForFiles")


@dataclass(frozen=True, slots=True)
class Command:
    """A line for `/bin/sh -c`, where it stands in its file, and for how many seconds it may run."""

    text: str
    line: int
    seconds: float = SECONDS


@dataclass(frozen=True, slots=True)
class Updater:
    """What changes an image and what changes a policy; either may be missing."""

    container_image: Command | None
    policy: Command | None


@dataclass(frozen=True, slots=True)
class FluxYaml:
    """A valid file. `patch_file` is empty unless updates go into one; `scan_for_files` means: as if it were not there.

    `path` is the file's own; its commands run in whichever folder it is used for.
    """

    path: str
    commit: str = ""
    generators: tuple[Command, ...] = ()
    updaters: tuple[Updater, ...] = ()
    patch_file: str = ""
    scan_for_files: bool = False

    def origin(self, command: Command, renderer: str = "") -> Origin:
        """Where a command stands; with `renderer`, where an object comes from."""
        return Origin(self.path, command.line, commit=self.commit, renderer=renderer)


def candidates(path: str) -> tuple[str, tuple[str, ...]]:
    """The folder that commands run in for a path of a sync, and where its `.flux.yaml` may be, the nearest first.

    >>> candidates("apps/prod")
    ('apps/prod', ('apps/prod/.flux.yaml', 'apps/.flux.yaml', '.flux.yaml'))
    >>> candidates("apps/.flux.yaml")
    ('apps', ('apps/.flux.yaml',))
    """
    folder, _, name = path.rpartition("/")
    if name == NAME:
        return folder, (path,)
    parts = path.split("/") if path else []
    above = ["/".join(parts[:depth]) for depth in range(len(parts), -1, -1)]
    return path, tuple(f"{each}/{NAME}" if each else NAME for each in above)


def parse_flux_yaml(data: bytes, path: str, commit: str = "") -> FluxYaml:
    """Read a file. Raises UserError (FluxYamlInvalid, or what its YAML is refused for) with every problem."""
    documents, problems = read_documents(data, path, commit)
    if problems:
        raise UserError(*problems)
    reader = _Reader(data, path, commit, documents[0].line if documents else 1)
    if len(documents) != 1:
        reader.fault("", "a .flux.yaml is one YAML document", f"this one has {len(documents)}", "write `version: 1`, …")
        raise UserError(*reader.problems)
    found = reader.file(documents[0].value)
    if reader.problems:
        raise UserError(*reader.problems)
    return found


@dataclass(slots=True)
class _Reader:
    """Reads one document, and notes each problem with its line."""

    data: bytes
    path: str
    commit: str
    start: int
    problems: list[Problem] = field(default_factory=list)

    def fault(self, field: str, title: str, cause: str = "", fix: str = "") -> None:
        origin = Origin(self.path, self.line(field), commit=self.commit)
        self.problems.append(Problem(codes.FLUX_YAML_INVALID, title, None, origin, field, cause, fix))

    def line(self, field: str) -> int:
        at = locate(self.data, self.start, field)
        return at.line if at is not None else self.start

    def file(self, value: Any) -> FluxYaml:
        held = self.map(value, "", ("version", *_MODES))
        if "version" not in held or type(held["version"]) is not int or held["version"] != 1:
            cause = f"it is {_shown(held['version'])}" if "version" in held else "it is missing"
            self.fault("version", "the version of a .flux.yaml must be 1", cause, "write `version: 1`")
        modes = [mode for mode in _MODES if mode in held]
        if len(modes) != 1:
            cause = f"it has {' and '.join(modes)}" if modes else "it has none of them"
            title = "a .flux.yaml needs exactly one of patchUpdated, commandUpdated and scanForFiles"
            self.fault(modes[1] if modes else "", title, cause, "keep the one that is meant")
            return FluxYaml(self.path, self.commit)
        part = held[modes[0]]
        match modes[0]:
            case "patchUpdated":
                return self.patched(part)
            case "commandUpdated":
                return self.commanded(part)
            case _:
                self.map(part, "scanForFiles", ())
                return FluxYaml(self.path, self.commit, scan_for_files=True)

    def patched(self, value: Any) -> FluxYaml:
        held = self.map(value, "patchUpdated", ("generators", "patchFile"))
        patch_file = held.get("patchFile")
        if not isinstance(patch_file, str) or not patch_file or patch_file.startswith("/"):
            fix = "name a file relative to the path that is synced, as in `patchFile: flux-patch.yaml`"
            cause = "it is missing" if patch_file is None else f"it is {_shown(patch_file)}"
            self.fault("patchUpdated.patchFile", "patchFile must be a relative path", cause, fix)
            patch_file = ""
        return FluxYaml(self.path, self.commit, self.generators(held, "patchUpdated"), patch_file=patch_file)

    def commanded(self, value: Any) -> FluxYaml:
        held = self.map(value, "commandUpdated", ("generators", "updaters"))
        updaters: list[Updater] = []
        for place, item in self.items(held.get("updaters"), "commandUpdated.updaters"):
            one = self.map(item, place, ("containerImage", "policy"))
            if not one:
                self.fault(place, "an updater needs containerImage or policy", fix="give one of them a command")
            parts = [self.command(one.get(name), f"{place}.{name}") for name in ("containerImage", "policy")]
            updaters.append(Updater(*parts))
        return FluxYaml(self.path, self.commit, self.generators(held, "commandUpdated"), tuple(updaters))

    def generators(self, held: dict[str, Any], mode: str) -> tuple[Command, ...]:
        place = f"{mode}.generators"
        if not isinstance(held.get("generators"), list):
            fix = "write `generators:` with a list of `- command: …`"
            self.fault(place, "generators must be a list of commands", fix=fix)
            return ()
        found = [self.command(item, at) for at, item in self.items(held["generators"], place)]
        return tuple(command for command in found if command is not None)

    def command(self, value: Any, place: str) -> Command | None:
        if value is None:
            return None
        held = self.map(value, place, ("command", "timeout"))
        text = held.get("command")
        if not isinstance(text, str) or not text.strip() or len(text) > MAX_COMMAND or "\0" in text:
            cause = "it is missing" if text is None else f"it is {_shown(text)}"
            self.fault(f"{place}.command", "a command must be a text", cause, "write `command: kustomize build .`")
            return None
        return Command(text, self.line(place), self.seconds(held.get("timeout"), f"{place}.timeout"))

    def seconds(self, text: Any, place: str) -> float:
        if text is None:
            return SECONDS
        try:
            seconds = parse_duration(text) if isinstance(text, str) else -1.0
        except ValueError:
            seconds = -1.0
        if 0 <= seconds < 1:
            return SECONDS  # fluxd's rule
        if not 1 <= seconds <= MAX_SECONDS:
            cause, fix = f"it is {_shown(text)}", f"write a duration of 1s to {MAX_SECONDS / 60:.0f}m, as in `90s`"
            self.fault(place, "the timeout can't be used", cause, fix)
        return seconds

    def items(self, value: Any, place: str) -> list[tuple[str, Any]]:
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > MAX_COMMANDS:
            self.fault(place, f"a list of at most {MAX_COMMANDS} is needed here", f"it is {_shown(value)}")
            return []
        return [(f"{place}[{index}]", item) for index, item in enumerate(value)]

    def map(self, value: Any, place: str, known: tuple[str, ...]) -> dict[str, Any]:
        if value is None and not known:
            return {}
        if not isinstance(value, dict):
            self.fault(place, f"{place or 'a .flux.yaml'} must be a map", f"it is {_shown(value)}")
            return {}
        for key in value:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
                fix = f"did you mean {near[0]}?" if near else f"remove it; known here: {', '.join(known) or 'nothing'}"
                at = f"{place}.{key}" if place else str(key)
                self.fault(at, f"{clip(printable(str(key)), 100)!r} is no key of a .flux.yaml", fix=fix)
        return {key: item for key, item in value.items() if key in known}


def _shown(value: Any) -> str:
    return "empty" if value in (None, "", [], {}) else clip(printable(repr(value)), 80)
