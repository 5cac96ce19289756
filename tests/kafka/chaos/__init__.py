"""Producers under load while brokers and networks fail, and the count of what came of it.

A trial is one fault and one producer: the producer makes messages at a set pace into a topic of its own, the fault
strikes, the producer is told to stop, and then the whole topic is read by a client of another maker and held against
what the producer says was acknowledged. Everything runs on this machine, in real time.
"""
