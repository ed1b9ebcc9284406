"""What a message's template can ask: the automation, what it changed, and the values that the spec gives.

Names and nesting are those of Flux's ImageUpdateAutomation; only the order of `.Changed.Changes`, which is chance
there, is that of files and lines here. Control characters of files' names and values are escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sluice.core.ids import NamespacedName
from sluice.core.image_update.result import FileObject, ImageChange
from sluice.core.message_template.value import Struct, TextMap, TypedMap
from sluice.core.problem import printable

DEFAULT_TEMPLATE = "Update from image update automation"


def template_data(automation: NamespacedName, changes: Iterable[ImageChange], values: Mapping[str, str]) -> Struct:
    """The data of a template: `.AutomationObject`, `.Changed` and `.Values`."""
    subject = Struct(
        "types.NamespacedName",
        {"Namespace": automation.namespace, "Name": automation.name},
        (automation.namespace, automation.name),
        text=str(automation),
    )
    fields = {"AutomationObject": subject, "Changed": _changed(tuple(changes)), "Values": TextMap(values)}
    return Struct("source.TemplateData", fields, tuple(fields.values()), removed={"Updated": ".Changed"})


def _changed(changes: tuple[ImageChange, ...]) -> Struct:
    files: TypedMap = TypedMap()
    for change in changes:
        objects = files.setdefault(printable(change.path), TypedMap())
        objects.setdefault(_identifier(change.subject), []).append(_change(change))
    return Struct(
        "update.Result",
        {"FileChanges": files},
        (files,),
        methods={"Changes": lambda: _distinct(changes), "Objects": lambda: _objects(changes)},
        removed={"ImageResult": ".Changed.FileChanges or .Changed.Objects"},
    )


def _objects(changes: tuple[ImageChange, ...]) -> TypedMap:
    objects: TypedMap = TypedMap()
    for change in changes:
        objects.setdefault(_identifier(change.subject), []).append(_change(change))
    return objects


def _distinct(changes: tuple[ImageChange, ...]) -> list[Struct]:
    return list(dict.fromkeys(_change(change) for change in changes))


def _identifier(subject: FileObject) -> Struct:
    """Flux keeps an object's type and its name in structs of their own, which shows when it is written out whole."""
    fields = {
        "APIVersion": printable(subject.api_version),
        "Kind": printable(subject.kind),
        "Name": printable(subject.name),
        "Namespace": printable(subject.namespace),
    }
    kind = Struct("yaml.TypeMeta", {}, (fields["APIVersion"], fields["Kind"]))
    name = Struct("yaml.NameMeta", {}, (fields["Name"], fields["Namespace"]))
    inner = Struct("yaml.ResourceIdentifier", fields, (kind, name))
    return Struct("update.ObjectIdentifier", fields, (inner,), key=tuple(fields.values()))


def _change(change: ImageChange) -> Struct:
    fields = {"OldValue": printable(change.old), "NewValue": printable(change.new), "Setter": change.policy}
    return Struct("update.Change", fields, tuple(fields.values()), key=tuple(fields.values()))
