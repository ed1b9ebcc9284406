"""All files that a kustomize build may read, and everything that is wrong with how they refer to each other.

Only these files are given to the build, so a reference that was not checked finds nothing. Folders are read level by
level (few reads), then walked as kustomize walks them (cycles).
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sluice.core import codes
from sluice.core.artifact import BlobReader, FileEntry, FileTree
from sluice.core.problem import Problem
from sluice.core.yaml_read import MAX_FILE_BYTES, read_documents
from sluice.render.confine import as_yaml, is_remote, remote_problem
from sluice.render.json_patch import patch_fault
from sluice.render.kustomization_file import (
    NAMES,
    KustomizationFile,
    Reference,
    plugin_references,
    read_kustomization,
    references,
)
from sluice.render.links import Escape, Links, normal

MAX_FILES = 20_000
MAX_BYTES = 200_000_000
MAX_FOLDERS = 2_000
BATCH = 64


@dataclass(slots=True)
class Closure:
    """`files` by real path, `rewritten` the text of those that the build gets in our reading, `links` followed."""

    kustomizations: dict[str, KustomizationFile] = field(default_factory=dict)
    files: dict[str, FileEntry] = field(default_factory=dict)
    rewritten: dict[str, bytes] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)
    resources: dict[str, bytes] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class Walker:
    """Collects the closure of one root kustomization."""

    def __init__(self, tree: FileTree, blobs: BlobReader, links: Links, commit: str) -> None:
        self._tree = tree
        self._blobs = blobs
        self._links = links
        self._commit = commit
        self._folders = {""}
        for path in tree.by_path:
            while (path := path.rpartition("/")[0]) not in self._folders:
                self._folders.add(path)
        self._done: set[str] = set()
        self._contents: dict[str, bytes] = {}
        self.closure = Closure()

    async def collect(self, root: KustomizationFile) -> Closure:
        """Collect everything below `root`; problems are in the result, all of them."""
        await self._load(root)
        self._contents = await self._read({"plugin"})
        self._visit(root, ())
        for path, file in ((file.path, file) for file in self.closure.kustomizations.values()):
            self.closure.files.pop(path, None)
            self.closure.rewritten[path] = as_yaml(file.value)
        if len(self.closure.files) > MAX_FILES or sum(e.size for e in self.closure.files.values()) > MAX_BYTES:
            cause = f"limits are {MAX_FILES:,} files and {MAX_BYTES // 1_000_000} MB"
            self.closure.problems.append(
                root.problem(codes.FILE_TOO_BIG, "the kustomization reads too much", "", cause)
            )
        return self.closure

    async def judge(self) -> list[Problem]:
        """Read the resources and patches of a collected closure, and give what is wrong in them.

        Apart from `collect`, for it costs most and is not needed when the same closure was built before.
        """
        self._contents = await self._read({"resource", "patch"})
        problems: list[Problem] = []
        for file in self.closure.kustomizations.values():
            await asyncio.sleep(0)
            for count, reference in enumerate(references(file), 1):
                if count % BATCH == 0:
                    await asyncio.sleep(0)
                entry = self._entry_of(file, reference)
                data = self._contents.get(entry.path) if entry is not None else None
                if entry is None or data is None or entry.path not in self.closure.files:
                    continue
                if reference.kind == "resource":
                    problems += self._resource(entry.path, data)
                elif reference.kind == "patch" and (fault := patch_fault(data)):
                    title = f"the patch {reference.text!r} is not valid"
                    problems.append(file.problem(codes.PATCH_INVALID, title, reference.field, fault, "correct it"))
        return problems

    async def _load(self, root: KustomizationFile) -> None:
        level = [root]
        seen = {root.folder}
        while level:
            folders: list[str] = []
            for file in level:
                self.closure.kustomizations[file.folder] = file
                folders += [
                    f for r in references(file) if (f := self._folder_of(file, r)) is not None and f not in seen
                ]
                seen.update(folders)
            if len(seen) > MAX_FOLDERS:
                title = f"more than {MAX_FOLDERS:,} kustomizations"
                self.closure.problems.append(root.problem(codes.FILE_TOO_BIG, title, "", "", "split it"))
                return
            level = await self._read_folders(list(dict.fromkeys(folders)))

    async def _read_folders(self, folders: list[str]) -> list[KustomizationFile]:
        entries = [(folder, entry) for folder in folders if (entry := self.kustomization_in(folder)) is not None]
        contents = await self._blobs.read([entry for _, entry in entries]) if entries else []
        found = []
        for (folder, entry), data in zip(entries, contents, strict=True):
            file, problems = read_kustomization(data, entry.path, folder, self._commit)
            self.closure.problems += problems
            if file is not None:
                found.append(file)
        return found

    async def _read(self, kinds: set[str]) -> dict[str, bytes]:
        """Read the files of some kinds of reference."""
        wanted: dict[str, FileEntry] = {}
        for file in self.closure.kustomizations.values():
            for reference in references(file):
                entry = self._entry_of(file, reference) if reference.kind in kinds else None
                if entry is not None and entry.size <= MAX_FILE_BYTES:
                    wanted[entry.path] = entry
        contents = await self._blobs.read(list(wanted.values())) if wanted else []
        return dict(zip(wanted, contents, strict=True))

    def kustomization_in(self, folder: str) -> FileEntry | None:
        """The kustomization file of a folder; the first when there are several, which is a problem of its own."""
        prefix = f"{folder}/" if folder else ""
        for name in NAMES:
            entry = self._tree.by_path.get(prefix + name)
            if entry is not None and entry.mode == "symlink":
                entry = self._linked(entry)
            if entry is not None:
                return entry
        return None

    def _linked(self, entry: FileEntry) -> FileEntry | None:
        try:
            target = self._tree.by_path.get(self._links.resolve(entry.path))
        except Escape:
            return None
        return None if target is None else replace(target, path=entry.path)

    def _resolve(self, file: KustomizationFile, text: str) -> str:
        if text.startswith("/"):
            raise Escape(text, "it is absolute")
        return self._links.resolve(normal(f"{file.folder}/{text}"), self.closure.links)

    def _folder_of(self, file: KustomizationFile, reference: Reference) -> str | None:
        if reference.kind not in {"resource", "component", "plugin"} or is_remote(reference.text):
            return None
        try:
            path = self._resolve(file, reference.text)
        except Escape:
            return None
        return path if path not in self._tree.by_path and path in self._folders else None

    def _entry_of(self, file: KustomizationFile, reference: Reference) -> FileEntry | None:
        if reference.kind == "inline_patch" or "\n" in reference.text:
            return None
        try:
            return self._tree.by_path.get(self._resolve(file, reference.text))
        except Escape:
            return None

    def _visit(self, file: KustomizationFile, stack: tuple[str, ...]) -> None:
        """Check a kustomization's references; `stack` holds the folders that lead here."""
        if file.folder in self._done:
            return
        self._done.add(file.folder)
        self.closure.problems += self._ambiguous(file)
        for reference in references(file):
            self.closure.problems += self._follow(file, reference, (*stack, file.folder))

    def _ambiguous(self, file: KustomizationFile) -> Iterator[Problem]:
        prefix = f"{file.folder}/" if file.folder else ""
        names = [name for name in NAMES if prefix + name in self._tree.by_path]
        if len(names) > 1:
            title = f"{file.folder or 'the root'} has {' and '.join(names)}"
            yield file.problem(codes.KUSTOMIZE_AMBIGUOUS, title, "", "kustomize would not choose", "keep one")

    def _follow(self, file: KustomizationFile, reference: Reference, stack: tuple[str, ...]) -> Iterator[Problem]:
        text, where = reference.text, reference.field
        if reference.kind == "inline_patch":
            if fault := patch_fault(text.encode()):
                yield file.problem(codes.PATCH_INVALID, "the patch is not valid", where, fault, "correct it")
            return
        if "\n" in text:
            yield from self._inline(file, reference)
            return
        if (problem := remote_problem(file, reference)) is not None:
            yield problem
            return
        try:
            path = self._resolve(file, text)
        except Escape as escape:
            yield file.problem(codes.PATH_ESCAPE, f"{text!r} leaves the source", where, escape.reason, "keep it inside")
            return
        entry = self._tree.by_path.get(path)
        if entry is not None:
            yield from self._file(file, reference, entry)
        elif reference.kind in {"resource", "component", "plugin"} and path in self._folders:
            yield from self._folder(file, reference, path, stack)
        else:
            yield self._missing(file, reference, path)

    def _file(self, file: KustomizationFile, reference: Reference, entry: FileEntry) -> Iterator[Problem]:
        where, name = reference.field, reference.text
        if reference.kind == "component":
            yield file.problem(
                codes.KUSTOMIZE_MISSING, f"{name!r} is no folder", where, "", "name the component's folder"
            )
        elif not entry.path.isprintable():
            title = "the file name is not allowed"
            yield file.problem(codes.PATH_NOT_ALLOWED, title, where, "it has control characters", "rename the file")
        elif entry.size > MAX_FILE_BYTES:
            cause = f"{entry.size / 1e6:.1f} MB, limit {MAX_FILE_BYTES / 1e6:.0f} MB"
            yield file.problem(codes.FILE_TOO_BIG, f"{name!r} is too big", where, cause, "make it smaller")
        else:
            self.closure.files[entry.path] = entry
            if reference.kind == "plugin":
                yield from self._plugin(file, reference, entry.path, self._contents.get(entry.path, b""))

    def _resource(self, path: str, data: bytes) -> Iterator[Problem]:
        if path not in self.closure.resources:
            self.closure.resources[path] = data
            yield from read_documents(data, path, self._commit)[1]

    def _inline(self, file: KustomizationFile, reference: Reference) -> Iterator[Problem]:
        if reference.kind == "plugin":
            yield from self._plugin(file, reference, "", reference.text.encode())
        else:
            yield file.problem(codes.PATH_NOT_ALLOWED, "a path with a line break", reference.field, "", "correct it")

    def _plugin(self, file: KustomizationFile, reference: Reference, path: str, data: bytes) -> Iterator[Problem]:
        documents, problems = read_documents(data, path or file.path, self._commit)
        yield from problems
        for document in documents:
            found, refusal = plugin_references(document.value)
            if refusal:
                yield file.problem(codes.PLUGIN_OFF, "a plugin is switched off", reference.field, refusal, "remove it")
            for inner in found:
                yield from self._follow(file, Reference("file", inner.text, reference.field), ())
        if path and not problems:
            self.closure.files.pop(path, None)
            self.closure.rewritten[path] = b"\n---\n".join(as_yaml(d.value) for d in documents)

    def _folder(
        self, file: KustomizationFile, reference: Reference, path: str, stack: tuple[str, ...]
    ) -> Iterator[Problem]:
        where = reference.field
        circle = [folder for folder in stack if folder == path or not path or folder.startswith(path + "/")]
        if circle:
            chain = " → ".join(folder or "." for folder in (*stack[stack.index(circle[0]) :], path))
            yield file.problem(codes.KUSTOMIZE_CYCLE, "kustomizations refer in a circle", where, chain, "cut it")
            return
        if self.kustomization_in(path) is None:
            title = f"{reference.text!r} has no kustomization"
            yield file.problem(codes.KUSTOMIZE_MISSING, title, where, "", "add a kustomization.yaml, or list its files")
            return
        target = self.closure.kustomizations.get(path)
        if target is None:
            return  # it could not be read, which is reported with its file
        if reference.kind == "plugin":
            title = "a folder of plugins is switched off"
            yield file.problem(codes.PLUGIN_OFF, title, where, "", "list the files of builtin transformers")
            return
        wanted = "Component" if reference.kind == "component" else "Kustomization"
        if (target.value.get("kind") or "Kustomization") != wanted:
            title = f"{reference.text!r} is no {wanted}"
            yield file.problem(
                codes.KUSTOMIZE_FAILED, title, where, f"its kind is {target.value['kind']}", "move the entry"
            )
            return
        self._visit(target, stack)

    def _missing(self, file: KustomizationFile, reference: Reference, path: str) -> Problem:
        folder, _, name = path.rpartition("/")
        # Without the folder, which is the same in all of them and would make strangers look alike.
        above = f"{folder}/" if folder else ""
        siblings = [entry.path.removeprefix(above) for entry in self._tree.under(folder) if entry.path != file.path]
        near = [above + found for found in difflib.get_close_matches(name, siblings, n=2, cutoff=0.7)]
        prefix = f"{file.folder}/" if file.folder else ""
        fix = (
            f"did you mean {' or '.join(found.removeprefix(prefix) for found in near)}?"
            if near
            else "add it, or remove the entry"
        )
        return file.problem(
            codes.KUSTOMIZE_MISSING, f"{reference.text!r} does not exist", reference.field, f"looked for {path}", fix
        )
