"""The producers that a user would otherwise choose, each a small program of its own: Java's kafka-clients, librdkafka
and Sarama, to be put under the same faults as the program under test.

All are what their client makes of acks=all and idempotence, with everything else at that client's defaults; where one
is not, its program says why. All number their messages 0, 1, 2, … at a fixed pace, and tell at their end what became of
each (`ledger.py`). This package starts no cluster, injects no fault and judges nothing.
"""
