"""New images into files: which values of a repository's files change, their new bytes, and why others do not.

Three ways in: markers of image policies (`setters`), workloads by their name (`release`, `policy_annotation`), and
the `images:` of kustomizations that replace what workloads say (`kustomized`). All give an `ImageUpdate`.
"""
