"""`sluice demo`: a cluster, a git server, three apps and the operator, and a tour of what a commit comes to.

Words: a *place* is everything the demo works with (cluster, checkout, operator), a *step* one thing to try, a *lookout*
what follows one object in the API server. Flags enter in `command`; text leaves through `Script`, and an exit code.
A step is done when the API server showed it, never because our own status says so. Nothing that the demo starts or
writes may outlive it, and it changes nothing of a user's cluster that it did not make itself.
"""

from sluice.cli.demo.command import demo

__all__ = ["demo"]
