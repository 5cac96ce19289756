"""The peers that are real: Apache Kafka of several generations, and a Schema Registry, as processes of this test.

Everything is fetched from Maven Central, listens on loopback (or in a network namespace of this run) on ports that
were free, is ready when it answers, and is stopped by its process id on every way out. This package knows nothing of
shoes or of the program under test.
"""
