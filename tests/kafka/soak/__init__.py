"""The soak: for half an hour a steady load on a cluster of three that loses, restarts, freezes or moves a leader every
minute. What is looked for is what only time brings out: memory that grows, threads and descriptors that stay behind, a
record in so many millions that is missing, doubled, out of order or changed.

Nothing is judged by how long it took.
"""
