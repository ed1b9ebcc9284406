"""What every test may ask for: the cluster's fixtures."""

import signal

from hypothesis import HealthCheck, settings

pytest_plugins = ["devcluster.fixture"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs the suite in the background has it ignore Ctrl-C, and every process that a test starts inherits
    # that; the tests that interrupt one are about a process that a person started.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long a machine under load takes to make an example says nothing about a law.
settings.register_profile("sluice", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sluice")
