"""The kinds people configure: one file each with Spec, Status, defaults, validation and schema.

Flux v2's kinds field for field, in JSON's own names (so `targetNamespace` stays as the user wrote it). A value
enters as JSON from the API server and leaves as a frozen struct; nothing here does I/O.
"""
