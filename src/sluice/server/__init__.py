"""What the operator serves over HTTP. Today: probes and metrics. It reads, and changes nothing."""
