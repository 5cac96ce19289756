"""The promises that are kept against real peers, one function each, named after its promise.

A case takes a bench and the name of the topic that it has for itself. Cases that want the same peers are a suite.
"""
