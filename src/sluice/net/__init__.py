"""What every kind of connection needs before it is one: TLS contexts, from certificates as people hand them over.

Words owned here: context. Nothing here connects to anything, and nothing is decided here about whom to trust: that is
said by a kubeconfig, a Secret or a flag.
"""
