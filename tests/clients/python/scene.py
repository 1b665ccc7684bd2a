"""What the programs share: the server, names of their own, and topics that are there before they are used."""

import sys
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import UnknownTopicOrPartitionError

BOOTSTRAP, PREFIX = sys.argv[1:3]


def name(word):
    """A topic or group of this run alone."""
    return f"{PREFIX}-{word}"


def create(topic, partitions=1, **configs):
    """Makes a topic and waits until it has its partitions; gives its name.

    Topics with records of a time long gone need `retention_ms=-1`, or they are emptied meanwhile.
    """
    admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    configs = {key.replace("_", "."): str(value) for key, value in configs.items()}
    admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
    within(10, lambda: partitions == partition_count(admin, topic))
    admin.close()
    return topic


def partition_count(admin, topic):
    """How many partitions the server says that the topic has, with no error in any of them."""
    try:
        described = admin.describe_topics([topic])[0]
    except UnknownTopicOrPartitionError:
        return 0
    return sum(partition["error_code"] == 0 for partition in described["partitions"])


def producer(**settings):
    return KafkaProducer(bootstrap_servers=BOOTSTRAP, **settings)


def consumer(*topics, **settings):
    settings.setdefault("auto_offset_reset", "earliest")
    return KafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, **settings)


def fill(topic, values, **settings):
    """Sends the values to the topic, in order."""
    with_server = producer(**settings)
    for value in values:
        with_server.send(topic, value if isinstance(value, bytes) else str(value).encode())
    with_server.flush()
    with_server.close()


def read(reader, count, seconds=30):
    """The next `count` records, by topic, partition and offset."""
    records = []

    # kafka-python 3.0 never sees its assignment when a poll times out while it is under way, so polls may be long.
    def enough():
        for batch in reader.poll(timeout_ms=2000).values():
            records.extend(batch)
        return len(records) >= count

    within(seconds, enough)
    return sorted(records, key=lambda record: (record.topic, record.partition, record.offset))


def within(seconds, condition):
    """Waits until the condition holds; fails when it does not in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not so within {seconds} s")
        time.sleep(0.02)
