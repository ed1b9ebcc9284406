"""A real Kubernetes control plane on this machine, in seconds, for tests and the demo.

Words: a *component* is one process of the control plane, a *cluster* all of them over one directory, a *fate* what a
simulated pod does because of its image (see `devcluster.stages`). Options and the Go module's pins come in; a
kubeconfig and an address go out. Nothing of the operator may be imported here, and the operator's packages import
nothing from here but for `sluice demo`.
"""

from devcluster.cluster import Cluster, kubectl_path, running_cluster
from devcluster.components import ClusterOptions
from devcluster.errors import DevclusterError

__all__ = ["Cluster", "ClusterOptions", "DevclusterError", "kubectl_path", "running_cluster"]
