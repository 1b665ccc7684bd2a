"""How many bytes each topic takes on the server's disk: arguments are the server and the topics."""

import sys

from kafka import KafkaAdminClient


def sizes(bootstrap, topics):
    """The bytes on disk of the topics, in their order. kafka-python 2 asks in a way that Kafka 4 does not know."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    answer = admin.describe_log_dirs()
    admin.close()
    found = dict.fromkeys(topics, 0)
    for topic, size in every_topic(answer):
        if topic in found:
            found[topic] += size
    return list(found.values())


def every_topic(answer):
    """Names and sizes, wherever they are in the answer."""
    if isinstance(answer, dict):
        if "partitions" in answer and "name" in answer:
            yield answer["name"], sum(part["partition_size"] for part in answer["partitions"])
        for part in answer.values():
            yield from every_topic(part)
    elif isinstance(answer, (list, tuple)):
        for part in answer:
            yield from every_topic(part)


if __name__ == "__main__":
    print(*sizes(sys.argv[1], sys.argv[2:]), sep="\n")
