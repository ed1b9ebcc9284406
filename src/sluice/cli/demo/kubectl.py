"""The real kubectl, used as a person would: for what the demo does to the cluster by hand."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.cli.demo.lookout import NotObserved
from sluice.render.kubectl import find_kubectl


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One cluster's kubectl: `flags` choose the cluster, `environment` is all that the process gets."""

    binary: Path
    flags: tuple[str, ...]
    environment: Mapping[str, str]

    async def run(self, *arguments: str) -> str:
        """Run it and return what it printed. Raises NotObserved with kubectl's words when it fails."""
        process = await asyncio.create_subprocess_exec(
            str(self.binary),
            *self.flags,
            *arguments,
            env=dict(self.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise NotObserved(f"kubectl {' '.join(arguments)} failed: {errors.decode(errors='replace').strip()}")
        return output.decode(errors="replace")


def program(environment: Mapping[str, str]) -> str:
    """What a person types: `kubectl` where their shell finds one, else the path of the one that came with us."""
    if shutil.which("kubectl", path=environment.get("PATH")):
        return "kubectl"
    binary, here = find_kubectl(), Path.cwd()
    return str(binary.relative_to(here) if binary.is_relative_to(here) else binary)
