"""A process that writes one decision into a repository and then records it: what a test kills in between.

`python -m tests.git_writer_process URL CACHE RECORD`
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sluice.core.git_url import parse_url
from sluice.git.mirrors import Mirrors
from sluice.git.write_back import write_back
from tests.git_servers import LOOPBACK
from tests.git_writing import mark, replacing, wanted


async def run(url: str, cache: Path, record: Path) -> None:
    """Write, then record how it ended."""
    async with Mirrors(cache, policy=LOOPBACK) as mirrors:
        plan = replacing(b"web:1", b"web:11")  # would find something to do each time
        written = await write_back(mirrors.open(parse_url(url)), wanted(mark=mark(), look_back=10), plan)
    record.write_text(f"{written.outcome} {written.commit}")


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
