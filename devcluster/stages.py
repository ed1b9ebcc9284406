"""Gives simulated pods their fates: kwok's default stages, and ours, in which a container's image decides.

A fate is the image's tag (a digest after it is ignored), in any registry and repository:

    image                          what the pod does
    -----------------------------  ------------------------------------------------------------------------------------
    `…:broken`, `…/never-ready`    never becomes ready: Pending, the container waiting in ImagePullBackOff
    `…:unready`                    runs, but its readiness probe never passes: Running, Ready=False
    `…:crash`                      exits with 1 again and again: CrashLoopBackOff, its restarts counted, after 0.2 s and
                                   then ever later (1, 2, 4 … 60 s); with restartPolicy Never it fails instead
    `…:fail`                       exits with 1 once: the pod of a Job, or one with restartPolicy Never, becomes Failed;
                                   any other behaves as with `:crash`, as under a kubelet
    `…:slow-5s`                    becomes ready N seconds after it was scheduled (any whole number)
    anything else                  ready at once; the pod of a Job then completes with 0

With several containers the first fate of that order that any of them has is the pod's. Init containers always succeed.
The container with the fate is the one that shows it; its neighbours run.
"""

from __future__ import annotations

import copy
from typing import Any

import yaml

Stage = dict[str, Any]

_REPOSITORY = r"^([^@]*/)?never-ready(:[^/@]*)?(@.*)?$"


def _tagged(tag: str) -> str:
    return f":{tag}(@.*)?$"


# Regular expressions of jq, in the order of precedence.
_BROKEN = f"{_tagged('broken')}|{_REPOSITORY}"
_PATTERNS = {
    "broken": _BROKEN,
    "unready": _tagged("unready"),
    "crash": _tagged("crash"),
    "fail": _tagged("fail"),
    "slow": _tagged("slow-[0-9]+s"),
}
_SLOW_SECONDS = _tagged("slow-(?<seconds>[0-9]+)s")


def _fate() -> str:
    """Return the jq expression that says which fate a pod has; `normal` when none."""
    tests = [f'if any(test("{pattern}")) then "{fate}"' for fate, pattern in _PATTERNS.items()]
    return f'[.spec.containers[].image] | {" el".join(tests)} else "normal" end'


_DOES_NOT_RECOVER = (
    '(.spec.restartPolicy == "Never") or '
    '(any(.metadata.ownerReferences[]?; .kind == "Job") and any(.spec.containers[].image; test("{fail}")))'
).replace("{fail}", _PATTERNS["fail"])

_WAITING_REASONS = "[.status.containerStatuses[]?.state.waiting.reason]"

_CRASH_DELAY = (
    "([.status.containerStatuses[]?.restartCount] | max // 0) as $restarts | "
    'if $restarts == 0 then "200ms" else "\\([pow(2; [$restarts - 1, 6] | min), 60] | min | floor)s" end'
)

_SLOW_DELAY = f'[.spec.containers[].image | capture("{_SLOW_SECONDS}") | .seconds | tonumber] | max | "\\(.)s"'


def stage_configuration(defaults: str) -> str:
    """Return kwok's configuration file: `defaults` (its own stages, as YAML), kept off our images, and our stages."""
    stages = [stage for stage in yaml.safe_load_all(defaults) if stage]
    by_name = {stage["metadata"]["name"]: stage for stage in stages}
    ready = by_name["pod-ready"]
    slow = copy.deepcopy(ready)
    slow["metadata"]["name"] = "sluice-pod-slow"
    _require(slow, _fate(), "In", "slow")
    slow["spec"]["delay"] = {"durationMilliseconds": 0, "durationFrom": {"expressionFrom": _SLOW_DELAY}}
    _require(ready, _fate(), "In", "normal")
    _require(by_name["pod-complete"], _fate(), "In", "normal", "slow")
    return yaml.safe_dump_all([*stages, slow, _broken(), _unready(), _crash(), _fail()], sort_keys=False)


def _require(stage: Stage, key: str, operator: str, *values: str) -> None:
    expression: dict[str, Any] = {"key": key, "operator": operator}
    if values:
        expression["values"] = list(values)
    stage["spec"]["selector"]["matchExpressions"].append(expression)


def _pod_stage(name: str, fates: tuple[str, ...], template: str) -> Stage:
    stage: Stage = {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": f"sluice-pod-{name}"},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {"matchExpressions": []},
            "next": {"statusTemplate": template},
        },
    }
    _require(stage, ".metadata.deletionTimestamp", "DoesNotExist")
    _require(stage, _fate(), "In", *fates)
    return stage


def _broken() -> Stage:
    stage = _pod_stage("broken", ("broken",), _status("Pending", _PATTERNS["broken"], _BROKEN_STATE))
    _require(stage, ".status.phase", "In", "Pending")
    _require(stage, f'{_WAITING_REASONS} | index("ImagePullBackOff")', "DoesNotExist")
    stage["spec"]["next"]["event"] = {
        "type": "Warning",
        "reason": "Failed",
        "message": "Error: ImagePullBackOff: the image can't be pulled (simulated)",
    }
    return stage


def _unready() -> Stage:
    stage = _pod_stage("unready", ("unready",), _status("Running", _PATTERNS["unready"], _UNREADY_STATE))
    _require(stage, ".status.phase", "In", "Pending")
    stage["spec"]["next"]["event"] = {
        "type": "Warning",
        "reason": "Unhealthy",
        "message": "Readiness probe failed: HTTP probe failed with statuscode: 503 (simulated)",
    }
    return stage


def _crash() -> Stage:
    pattern = f"{_PATTERNS['crash']}|{_PATTERNS['fail']}"
    stage = _pod_stage("crash", ("crash", "fail"), _status("Running", pattern, _CRASH_STATE))
    _require(stage, ".status.phase", "In", "Pending", "Running")
    _require(stage, _DOES_NOT_RECOVER, "In", "false")
    stage["spec"]["delay"] = {"durationMilliseconds": 200, "durationFrom": {"expressionFrom": _CRASH_DELAY}}
    stage["spec"]["next"]["event"] = {
        "type": "Warning",
        "reason": "BackOff",
        "message": "Back-off restarting failed container (simulated)",
    }
    return stage


def _fail() -> Stage:
    pattern = f"{_PATTERNS['crash']}|{_PATTERNS['fail']}"
    stage = _pod_stage("fail", ("crash", "fail"), _status("Failed", pattern, _FAIL_STATE))
    _require(stage, ".status.phase", "In", "Pending", "Running")
    _require(stage, _DOES_NOT_RECOVER, "In", "true")
    return stage


_BROKEN_STATE = """
  restartCount: 0
  state:
    waiting:
      reason: ImagePullBackOff
      message: {{ printf "Back-off pulling image %q (simulated)" .image | Quote }}
"""

_UNREADY_STATE = """
  restartCount: 0
  started: true
  state:
    running:
      startedAt: {{ $now | Quote }}
"""

_CRASH_STATE = """
  restartCount: {{ add1 $restarts }}
  started: false
  state:
    waiting:
      reason: CrashLoopBackOff
      message: {{ printf "back-off restarting failed container=%s (simulated)" .name | Quote }}
  lastState:
    terminated:
      exitCode: 1
      reason: Error
      startedAt: {{ $now | Quote }}
      finishedAt: {{ $now | Quote }}
"""

_FAIL_STATE = """
  restartCount: 0
  started: false
  state:
    terminated:
      exitCode: 1
      reason: Error
      startedAt: {{ $now | Quote }}
      finishedAt: {{ $now | Quote }}
"""

_STATUS = """\
{{ $now := Now }}
{{ $restarts := 0 }}
{{ range .status.containerStatuses }}{{ $restarts = max $restarts .restartCount }}{{ end }}
{{ $unready := list }}
{{ range .spec.containers }}{{ if regexMatch PATTERN .image }}{{ $unready = append $unready .name }}{{ end }}{{ end }}
{{ $message := printf "containers with unready status: %v" $unready }}
phase: PHASE
startTime: {{ or .status.startTime $now | Quote }}
conditions:
- type: Initialized
  status: "True"
  lastTransitionTime: {{ $now | Quote }}
- type: Ready
  status: "False"
  reason: ContainersNotReady
  message: {{ $message | Quote }}
  lastTransitionTime: {{ $now | Quote }}
- type: ContainersReady
  status: "False"
  reason: ContainersNotReady
  message: {{ $message | Quote }}
  lastTransitionTime: {{ $now | Quote }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
{{ if regexMatch PATTERN .image }}
  ready: false
STATE
{{ else }}
  ready: true
  restartCount: 0
  state:
    running:
      startedAt: {{ $now | Quote }}
{{ end }}
{{ end }}
"""


def _status(phase: str, pattern: str, state: str) -> str:
    """Return a status template: containers whose image matches `pattern` get `state`, the others run."""
    return _STATUS.replace("PHASE", phase).replace("PATTERN", f"`{pattern}`").replace("STATE", state)
