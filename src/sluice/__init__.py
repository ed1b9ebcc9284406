"""Sluice: a GitOps operator in which a revision is a transaction."""

__version__ = "0.1.0"
