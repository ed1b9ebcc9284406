"""Clouds' own ways to a login for their registries: who we are there becomes a user name and a short-lived password.

Words owned here: exchange. One file per cloud behind `exchange.CloudLogins`, which keeps a login until it ends and
leaves a token service that failed alone for a while. What a cloud gives is sent to that cloud's registries and to no
other host.
"""
