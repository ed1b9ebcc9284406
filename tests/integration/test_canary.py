"""The watch over secrets sees them in every output that tests catch, and names test and output."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.canary import CANARY, FORBIDDEN

ROOT = Path(__file__).parents[2]
# How each test below ends, and which output is named.
TOLD = {
    ("FAILED", "test_log", "the log"),
    ("FAILED", "test_command", "stdout of sluice version"),
    ("FAILED", "test_notification", "the notification to /"),
    ("FAILED", "test_answer", "the answer to GET /"),
    # Looked at when the test has ended.
    ("ERROR", "test_stderr", "Captured stderr call"),
    ("ERROR", "test_cluster", "configmaps default/shown (written NOW, during test_leaky.py::test_cluster)"),
}
# All would pass by themselves; two show a secret only where it may be seen, or masked.
LEAKY = f'''
import asyncio
import sys
from urllib.request import Request, urlopen

import structlog
from aiohttp import web

from sluice.server.probes import serving
from tests.notification_sink import NotificationSink
from tests.operator_fixture import free_port, log_capture
from tests.cli.conftest import Sluice

SECRET = "{CANARY}-planted"


def test_log(log_capture):
    structlog.get_logger().info("tried", url="https://git.example", said=SECRET)


def test_log_that_is_masked(log_capture):
    structlog.get_logger().info("tried", url=f"https://ada:{{SECRET}}@git.example", token=SECRET)


def test_stderr():
    print(SECRET, file=sys.stderr)


def test_command(tmp_path):
    class Echo(Sluice):
        def command(self, *arguments):
            return ["echo", SECRET]

    Echo(tmp_path, {{}})("version")


def test_notification():
    with NotificationSink() as sink:
        urlopen(Request(sink.url, data=SECRET.encode())).read()


async def test_answer():
    async def handle(request):
        return web.Response(text=SECRET)

    app, address = web.Application(), f"127.0.0.1:{{free_port()}}"
    app.router.add_get("/", handle)
    async with serving((address, app)):
        await asyncio.to_thread(lambda: urlopen(f"http://{{address}}/").read())


def test_header():
    with NotificationSink() as sink:
        urlopen(Request(sink.url, headers={{"Authorization": SECRET}})).read()


def test_cluster(cluster):
    body = {{"metadata": {{"name": "shown"}}, "data": {{"key": SECRET}}}}
    assert cluster.api.request("POST", "/api/v1/namespaces/default/configmaps", body)[0] == 201
    secret = {{"metadata": {{"name": "held"}}, "stringData": {{"key": SECRET}}}}
    assert cluster.api.request("POST", "/api/v1/namespaces/default/secrets", secret)[0] == 201
'''


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_a_secret_in_any_output_fails_the_test_in_which_it_was_shown(tmp_path: Path) -> None:
    leaky = tmp_path / "test_leaky.py"
    leaky.write_text(LEAKY)
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    command = [sys.executable, "-m", "pytest", str(leaky), "-n1", "-q", "-rA", "-p", "no:cacheprovider"]
    command += [f"--config-file={ROOT / 'pyproject.toml'}", f"--rootdir={tmp_path}"]
    wide = {**os.environ, "COLUMNS": "300"}
    done = subprocess.run(command, cwd=ROOT, env=wide, capture_output=True, text=True, check=False)
    summary = re.sub(r"\d{4}-\S+Z", "NOW", done.stdout)
    told = re.findall(r"^(FAILED|ERROR) \S+?::(\w+) - (.+) shows a secret", summary, re.MULTILINE)
    assert set(told) == TOLD, done.stdout + done.stderr
    assert re.search(r"\b4 failed, 4 passed, 2 errors\b", done.stdout)


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_a_secret_is_seen_as_base64_wherever_it_stands(before: str) -> None:
    assert FORBIDDEN.search(base64.b64encode(f"{before}{CANARY}2 and more".encode()).decode())
    assert not FORBIDDEN.search(base64.b64encode(f"{before}hunte".encode()).decode())
