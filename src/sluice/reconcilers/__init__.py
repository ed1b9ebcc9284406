"""One kind per file, all the same shape: observe (read), decide (pure), act (write), report (pure).

A key comes in because something it depends on changed; what leaves is a status, events, and the time of the next
turn. Kinds learn of each other through the caches of their objects and through `Artifacts`, never by calls.
"""
