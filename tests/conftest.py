"""What every test may ask for: the cluster's fixtures. And what holds for every test: it lets no secret be seen."""

import signal
from collections.abc import Callable, Generator, Iterator

import pytest
from aiohttp import web
from hypothesis import HealthCheck, settings

from devcluster.cluster import Cluster
from tests import canary

pytest_plugins = ["devcluster.fixture"]

# Every server of ours in this process answers through it.
web.AppRunner = canary.WatchedRunner  # type: ignore[misc]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note who runs now."""
    canary.begins(item.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the part of the test fail in which an output showed a secret."""
    report = yield
    if call.when == "teardown":
        for title, text in report.sections:
            canary.look(title, text)
    if leaks := canary.taken():
        report.outcome = "failed"
        report.longrepr = "\n".join([*leaks, report.longreprtext])
    return report


@pytest.fixture(scope="session")
def cluster(cluster: Cluster) -> Iterator[Cluster]:
    """The session's cluster, looked at in the end."""
    yield cluster
    canary.look_at_cluster(cluster)


@pytest.fixture
def fresh_cluster(fresh_cluster: Callable[..., Cluster]) -> Iterator[Callable[..., Cluster]]:
    """Clusters of a test's own, looked at in the end."""
    booted: list[Cluster] = []

    def boot(**options: object) -> Cluster:
        booted.append(fresh_cluster(**options))
        return booted[-1]

    yield boot
    for one in booted:
        canary.look_at_cluster(one)


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs the suite in the background has it ignore Ctrl-C, and every process that a test starts inherits
    # that; the tests that interrupt one are about a process that a person started.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long a machine under load takes to make an example says nothing about a law.
settings.register_profile("sluice", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
# The same examples each time: a change is judged by itself. `make faults` looks at others, and so may anybody:
# --hypothesis-profile=explore.
settings.register_profile("explore", settings.get_profile("sluice"), derandomize=False)
settings.load_profile("sluice")
