"""The tutorial of image updates, block by block as it is written, in as many terminals as it names."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial" / "update-images.md"
_BLOCK = re.compile(r"^## ([^\n]+)$|^```sh ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LAST = "8. Clean up"


@dataclass
class Terminal:
    """A shell that stays open; what one block exports, the next one has."""

    folder: Path
    name: str
    environment: dict[str, str]
    shell: subprocess.Popen[str] = field(init=False)
    blocks: int = 0

    def __post_init__(self) -> None:
        self.log = self.folder / f"{self.name}.log"
        with self.log.open("w") as output:
            self.shell = subprocess.Popen(
                ["bash", "-euo", "pipefail"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def type(self, block: str) -> Path:
        """Type a block in; returns the file that is there once it has ended well."""
        self.blocks += 1
        script, done = (self.folder / f"{self.name}-{self.blocks}.{end}" for end in ("sh", "done"))
        script.write_text(block)
        assert self.shell.stdin is not None
        print(f". {script} < /dev/null\ntouch {done}", file=self.shell.stdin, flush=True)
        return done

    def run(self, block: str) -> str:
        """Run a block to its end; returns what it printed. Every command of it must succeed."""
        before = len(self.log.read_text())
        done, deadline = self.type(block), time.monotonic() + 90.0
        while not done.exists():
            printed = self.log.read_text()
            assert self.shell.poll() is None, f"{block}\n{printed}"
            assert time.monotonic() < deadline, f"{block}\n{printed}"
            time.sleep(0.02)
        return self.log.read_text()[before:]

    def close(self) -> None:
        """Ctrl-C, as the page ends what runs; the shell goes with it."""
        if self.shell.poll() is not None:
            return
        os.killpg(self.shell.pid, signal.SIGINT)
        try:
            self.shell.communicate(timeout=30)
        finally:
            if self.shell.poll() is None:
                os.killpg(self.shell.pid, signal.SIGKILL)


@contextmanager
def terminals(home: Path) -> Iterator[dict[str, Terminal]]:
    """Terminals of somebody with an empty home; the page's folder is one of the test's own."""
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    own = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "XDG_CACHE_HOME": cache, "PYTHONUTF8": "1"}
    environment = own | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with ExitStack() as stack:
        opened: dict[str, Terminal] = {}
        for name in ("first", "second", "third"):
            opened[name] = Terminal(home, name, environment)
            stack.callback(opened[name].close)
        stack.callback(down, environment)
        yield opened


def down(environment: dict[str, str]) -> None:
    """End the page's cluster, also when a step before its last failed."""
    command = [sys.executable, "-m", "devcluster", "down", "--name", "images"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)


def follow(opened: dict[str, Terminal], folder: Path) -> dict[str, str]:
    """Type in every block; returns what was printed under each heading. The first block is for every terminal."""
    printed: dict[str, str] = {}
    section, everywhere = "", True
    for heading, terminal, block in _BLOCK.findall(PAGE.read_text().replace("/tmp/shop", str(folder))):
        if heading:
            section = heading
        elif everywhere:
            for each in opened.values():
                each.run(block)
            everywhere = False
        elif section == LAST:
            opened["third"].close()
            opened["second"].close()
            printed[section] = opened["first"].run(block)
        elif terminal:
            opened[terminal].type(block)
            until = {"second": folder / "env", "third": None}[terminal]
            wait_for(opened[terminal], until)
        else:
            printed[section] = printed.get(section, "") + opened["first"].run(block)
    return printed


def wait_for(terminal: Terminal, file: Path | None) -> None:
    """Wait until a server says that it is there: by its file, or in its log."""
    deadline = time.monotonic() + 60.0
    while not (file.exists() if file is not None else "ready" in terminal.log.read_text()):
        assert terminal.shell.poll() is None, terminal.log.read_text()
        assert time.monotonic() < deadline, terminal.log.read_text()
        time.sleep(0.02)


def test_every_command_of_the_tutorial_does_what_the_page_says(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    with terminals(tmp_path) as opened:
        printed = follow(opened, shop)
    assert "shop/web:1.0.0" in printed["4. A workload with a marked image"]
    watched = printed["5. Watch, choose, write"]
    assert watched.count("condition met") == 3
    pushed = printed["6. Push a tag"]
    assert "Author: Image Bot <bot@example.com>" in pushed
    assert [line[0] for line in re.findall(r"^[-+] +image: .*$", pushed, re.MULTILINE)] == ["-", "+"]
    assert "successfully rolled out" in pushed
    failed = printed["7. Push one that crashes"]
    assert "shop/web:1.1.0" in failed.partition("NAME")[2]
    assert re.search(r"- \S+/shop/web:crash in apps/web\.yaml: Deployment shop/web failed: ", failed)
    assert failed.count("Image Bot: ") == 3
    assert re.search(r":crash failed for Deployment shop/web.*\[E592\] at apps/web\.yaml:21@", failed)
    assert printed[LAST].strip() == "cluster images is down"
