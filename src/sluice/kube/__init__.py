"""The cluster: access, client, discovery, watch cache, lease.

Owns the words *resource* (a kind as the API server serves it), *watch*, *lease*. JSON bodies enter as bytes and leave
as bytes or as msgspec structs that keep only what is read. Every failure leaves as an error of `sluice.core.errors`,
translated in `sluice.kube.errors` alone. Nothing here decides what to apply or prune, reads the environment, or
knows of git.
"""
