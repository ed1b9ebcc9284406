"""What every test may ask for: the cluster's fixtures."""

import signal

pytest_plugins = ["devcluster.fixture"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs the suite in the background has it ignore Ctrl-C, and every process that a test starts inherits
    # that; the tests that interrupt one are about a process that a person started.
    signal.signal(signal.SIGINT, signal.default_int_handler)
