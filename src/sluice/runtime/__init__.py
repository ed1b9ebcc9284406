"""Generic machinery that runs the pure middle: queue, supervisor, record store, transaction executor.

A key enters the queue when something it depends on changed; a reconciler turns it into commands; the executor sends
them to the API server and feeds the answers back into `core.transaction`. Nothing here knows a kind's meaning.
"""
