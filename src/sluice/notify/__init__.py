"""Events → requests to chats, pagers, dashboards and git hosts. One file per type of provider.

Words owned here: target (what a Provider and its Secret say of one place), request, receiver (who answers it). A
provider's file is a function of an event and a target to requests; `transport` alone sends them, and `delivery` says
what the answers mean. Nothing here reads the cluster.
"""
