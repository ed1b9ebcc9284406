"""The pure middle: values in, values out.

Everything that decides lives here: ids, manifests, inventories, plans, transaction steps, health verdicts.
Nothing here does I/O, reads a clock or draws a random number; time arrives as an argument. The contracts in
pyproject.toml and `tests/architecture` hold this.
"""
