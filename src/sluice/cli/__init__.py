"""The command line. Words: verb, flag, exit code, view (what a verb shows of an object), transition.

Arguments enter in `main.run_cli`; an exit code of `exit_codes` leaves. The answer goes to standard output, everything
else (progress, hints, errors) to standard error. One file per verb, imported only when that verb is used; whatever is
slow to import is imported inside the verb, so that `--version` and `--help` start at once.
A verb decides nothing about syncing: it reads and writes objects through `kube`, and asks the operator by annotation.
"""
