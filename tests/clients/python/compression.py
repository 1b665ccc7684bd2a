"""Every codec: what is sent comes back, and takes less room on the server's disk."""

from kafka import KafkaAdminClient
from kafka.errors import IncompatibleBrokerVersion
from scene import BOOTSTRAP, consumer, create, name, producer, read

LINES = [b"%05d GET /index.html HTTP/1.1 200 Mozilla/5.0 (X11; Linux x86_64)" % n for n in range(2000)]


def sizes(topics):
    """The bytes on disk of each topic."""
    admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    try:
        answer = admin.describe_log_dirs()
    except IncompatibleBrokerVersion:
        # kafka-python 2 knows only version 0 of this request, which Kafka 4 has no more.
        return None
    finally:
        admin.close()
    found = dict.fromkeys(topics, 0)
    for topic, size in every_topic(answer):
        if topic in found:
            found[topic] += size
    return found


def every_topic(answer):
    """Topics and sizes in the answer, whose shape is another one in each version of kafka-python."""
    if hasattr(answer, "to_object"):
        answer = answer.to_object()
    if isinstance(answer, dict):
        if {"partitions"} <= answer.keys() and ("topic" in answer or "name" in answer):
            size = sum(p.get("size", p.get("partition_size", 0)) for p in answer["partitions"])
            yield answer.get("topic", answer.get("name")), size
        for part in answer.values():
            yield from every_topic(part)
    elif isinstance(answer, (list, tuple)):
        for part in answer:
            yield from every_topic(part)


topics = {}
for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
    topic = topics[codec] = create(name(str(codec)))
    with_server = producer(compression_type=codec, linger_ms=50, batch_size=65536)
    for line in LINES:
        with_server.send(topic, line)
    with_server.close()
    reader = consumer(topic)
    values = [record.value for record in read(reader, len(LINES))]
    print(codec, len(values), "read, as sent:", values == LINES)
    reader.close()

on_disk = sizes(topics.values())
if on_disk:
    plain = on_disk[topics[None]]
    print("uncompressed takes more than the lines:", plain > sum(map(len, LINES)))
    for codec in ["gzip", "snappy", "lz4", "zstd"]:
        print(codec, "takes less than a third on disk:", 0 < on_disk[topics[codec]] < plain / 3)
