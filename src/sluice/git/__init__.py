"""Git repositories, by way of the git command line: a URL and a ref become a revision, a tree and its blobs.

Words owned here: mirror (a bare repository in the cache, one per URL and credentials), resolve (ask the remote what a
ref stands at), fetch (bring what is new). A URL and a Secret's data enter at `mirrors.Mirrors`; revisions, trees
and contents leave through `mirror.Mirror`. Never a working copy, never a shell string, never a credential in an
argument list or in the environment; nothing is decided here about when to poll or what to apply.
"""
