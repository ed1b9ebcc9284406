"""Figures of the running operator against a real control plane, each beside the limit or the peer of the same run.

Owns the words *figure* (one measured number), *stand* (cluster, git server and operator, made for one measurement) and
*raw* (requests sent with nothing of Sluice in between). A figure's name enters on the command line; a table leaves on
stdout and `build/bench.json`. Nothing here asserts a time: machines differ, ratios are for people to judge. It must not
import the operator into its own process: the operator is measured from outside.
"""
