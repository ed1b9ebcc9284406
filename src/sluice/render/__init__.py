"""Artifact and spec to manifests. Words: render, closure (the files that a build can read), origin.

A tree of files, a spec and variables enter in `Renderer.render`; manifests sorted by id leave, or a UserError with
every problem. Plain folders are read natively; a kustomization runs the real kustomize in a private folder, after its
files were checked for what must not be followed. The same inputs give the same bytes, and cost nothing the second time.
Nothing here talks to a cluster, a git host or a registry, and no renderer inherits our environment.
"""

from sluice.render.field_origin import field_origin
from sluice.render.possible_objects import possible_objects
from sluice.render.render_input import RenderInput
from sluice.render.renderer import Rendered, Renderer

__all__ = ["RenderInput", "Rendered", "Renderer", "field_origin", "possible_objects"]
