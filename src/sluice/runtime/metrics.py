"""What is counted as it happens. Flux's and controller-runtime's names where they have one, else `sluice_…`.

What is only known when somebody asks (the length of a queue, which objects are ready) is told by `runtime.scrape`.
Prometheus' `increase` sees growth only from a value that it has scraped: what an alert counts is here at zero before it
happens, or the first time would go unseen.
Labels are bounded: kinds, codes, outcomes, never an object's name. docs/reference/metrics.md lists every one.
"""

from __future__ import annotations

from prometheus_client import Counter, Histogram, disable_created_metrics

# Else there is a second series beside each counter, which no dashboard of Flux knows.
disable_created_metrics()  # type: ignore[no-untyped-call]

_SECONDS = (0.01, 0.0384, 0.1473, 0.5652, 2.1689, 8.3232, 31.94, 122.57, 470.36, 1800.0)
_DELIVERY = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0, 86400.0)
_WAITS = (0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0)

# --- turns: Flux's and controller-runtime's names ---------------------------------------------------------------

RECONCILE_SECONDS = Histogram(
    "gotk_reconcile_duration_seconds", "The duration in seconds of a reconciliation.", ("kind",), buckets=_SECONDS
)
RECONCILES = Counter(
    "controller_runtime_reconcile_total", "Reconciliations, by what they came to.", ("controller", "result")
)
RECONCILE_ERRORS = Counter("controller_runtime_reconcile_errors_total", "Reconciliations that failed.", ("controller",))
RECONCILE_PANICS = Counter(
    "controller_runtime_reconcile_panics_total", "Reconciliations that met a bug of the operator.", ("controller",)
)
QUEUE_ADDS = Counter("workqueue_adds_total", "Turns that became due.", ("name", "controller"))
QUEUE_SECONDS = Histogram(
    "workqueue_queue_duration_seconds",
    "Seconds for which a turn that was due waited for a slot.",
    ("name", "controller"),
    buckets=_WAITS,
)
WORK_SECONDS = Histogram(
    "workqueue_work_duration_seconds",
    "How long turns took; Flux's dashboard finds its namespaces by this name.",
    ("name", "controller"),
    buckets=_SECONDS,
)

# --- what the turns are for -------------------------------------------------------------------------------------

LEAD_SECONDS = Histogram(
    "sluice_lead_time_seconds",
    "Seconds from a commit's date until its revision was fetched, applied, and seen healthy.",
    ("stage",),
    buckets=_DELIVERY,
)
TRANSACTIONS = Counter("sluice_transactions_total", "Transactions that have ended, by outcome.", ("outcome",))
for _outcome in ("succeeded", "refused", "undone", "undo_failed", "failed", "superseded"):
    TRANSACTIONS.labels(_outcome)
TRANSACTION_SECONDS = Histogram(
    "sluice_transaction_duration_seconds", "The duration of a transaction that wrote something.", buckets=_SECONDS
)
DRIFT_CORRECTIONS = Counter("sluice_drift_corrections_total", "Objects whose drift was set right, by kind.", ("kind",))
PROBLEMS = Counter("sluice_problems_total", "Problems told in a status, by error code.", ("code",))

# --- the process ------------------------------------------------------------------------------------------------

LOOP_LAG = Histogram(
    "sluice_event_loop_lag_seconds", "How long the event loop took to answer, asked once a second.", buckets=_WAITS
)

NOTIFICATIONS = Counter(
    "sluice_notifications_total",
    "Notifications by type of provider and by what became of them: sent, grouped, retried, repeated, failed, dropped.",
    ("type", "result"),
)


def expect_turns(controller: str) -> None:
    """Begin the counters of a controller's failures at zero."""
    RECONCILE_ERRORS.labels(controller)
    RECONCILE_PANICS.labels(controller)


def expect_notifications(type_: str) -> None:
    """Begin the counters of what a type of provider may lose at zero."""
    for result in ("failed", "dropped"):
        NOTIFICATIONS.labels(type_, result)
