"""Artifacts on disk: a tree and its contents become a tarball that others can fetch, as Flux lays it out.

Words owned here: store (the folder that holds artifacts), put, remove. A tree and a BlobReader enter at
`artifacts.ArtifactStore.put`; an Artifact leaves, with the digest of the file written. Nothing here knows where a tree
came from or who will read it, and nothing decides when to fetch.
"""
