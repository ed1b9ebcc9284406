"""What every test may ask for: the cluster's fixtures."""

pytest_plugins = ["devcluster.fixture"]
