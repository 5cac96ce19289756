"""Three nodes, every topic with three replicas, in the clear and with users who may do this or
that: what the brokers refuse, hold up or change while the program runs.
"""
