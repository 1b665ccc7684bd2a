"""A partitioner of one's own: MD5 of the key; what has no key goes to partition 0."""

import hashlib

from kafka import partitioner as partitioners
from scene import create, name, producer


def by_md5(key, all_partitions, available):
    """A partitioner as kafka-python 2 calls it."""
    if key is None:
        return all_partitions[0]
    digest = int(hashlib.md5(key).hexdigest(), 16)
    return all_partitions[digest % len(all_partitions)]


class ByMd5(getattr(partitioners, "Partitioner", object)):
    """The same as kafka-python 3 calls it."""

    def partition(self, topic, key, serialized_key, value, serialized_value, cluster):
        return by_md5(serialized_key, sorted(cluster.partitions_for_topic(topic)), None)


V3 = hasattr(partitioners, "Partitioner")


topic = create(name("users"), partitions=3)
with_server = producer(partitioner=ByMd5() if V3 else by_md5)
for key in [b"anna", b"bert", b"carl", b"dora", None, b"anna", None, "zoë".encode()]:
    stored = with_server.send(topic, key=key, value=b"hello").get(timeout=10)
    print(key, "-> partition", stored.partition, "offset", stored.offset)
with_server.close()

topic = create(name("default"), partitions=3)
with_server = producer()
for key in [b"anna", b"bert", b"carl", b"dora"]:
    print(key, "by default -> partition", with_server.send(topic, key=key).get(timeout=10).partition)
with_server.close()
