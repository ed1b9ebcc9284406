"""The values of fluxd's HTTP API, versions 6 to 11, as its clients read them: shapes, errors, and what they ask for.

Pure. Field names and their cases are fluxd's own; what is empty is left out where fluxd leaves it out.
"""
