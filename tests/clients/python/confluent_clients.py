"""librdkafka by way of confluent-kafka: producers with every codec, a group member, the admin client, transactions."""

import sys

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType,
)

BOOTSTRAP, PREFIX = sys.argv[1:3]
SERVER = {"bootstrap.servers": BOOTSTRAP}
admin = AdminClient(SERVER)


def name(word):
    return f"{PREFIX}-{word}"


def create(word, partitions=1, **config):
    topic = name(word)
    config = {key.replace("_", "."): value for key, value in config.items()}
    admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(20)
    return topic


def error_of(call):
    """The name of the error that the call ends in."""
    try:
        call()
        return "none"
    except KafkaException as failure:
        return failure.args[0].name()


def read(count, *topics, **settings):
    """The first `count` records of the topics, and what the server says is their end."""
    settings = {"group.id": name("reader"), "auto.offset.reset": "earliest", "enable.partition.eof": True} | settings
    reader = Consumer(SERVER | {key.replace("_", "."): value for key, value in settings.items()})
    reader.subscribe(list(topics))
    records = []
    while len(records) < count:
        message = reader.poll(20)
        assert message is not None, f"{len(records)} of {count} came"
        if message.error():
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
        else:
            records.append(message)
    reader.commit(asynchronous=False)
    return reader, sorted(records, key=lambda m: (m.topic(), m.partition(), m.offset()))


def produce():
    topic = create("codecs", partitions=3, retention_ms="-1")
    acknowledged = []

    def delivered(error, message):
        assert error is None, error
        acknowledged.append((message.partition(), message.offset()))

    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        for idempotent in [False, True]:
            producer = Producer(
                SERVER | {"compression.type": codec, "enable.idempotence": idempotent, "linger.ms": 20}
            )
            for number in range(100):
                producer.produce(
                    topic,
                    key=f"key-{number % 7}",
                    value=f"{codec} {number} " + "x" * 100,
                    headers=[("codec", codec), ("idempotent", str(idempotent))],
                    timestamp=1_700_000_000_000 + number,
                    on_delivery=delivered,
                )
            assert producer.flush(20) == 0
            print(codec, "idempotent" if idempotent else "plain", len(acknowledged), "acknowledged")
    print("no place twice:", len(set(acknowledged)) == len(acknowledged))
    reader, records = read(1000, topic)
    print("first of each partition:")
    for record in records:
        if record.offset() == 0:
            print(" ", record.partition(), record.key(), record.value()[:8], record.headers(), record.timestamp())
    places = reader.committed([TopicPartition(topic, partition) for partition in range(3)])
    ends = [reader.get_watermark_offsets(place) for place in places]
    print("committed is the end:", [place.offset for place in places] == [end for _, end in ends])
    found = reader.offsets_for_times([TopicPartition(topic, 0, 1_700_000_000_050)], timeout=10)
    print("found by time:", found[0].offset > 0)
    reader.close()
    return topic


def refuse():
    small = create("small", max_message_bytes="1000")
    errors = []
    producer = Producer(SERVER)
    producer.produce(small, "x" * 5000, on_delivery=lambda error, _: errors.append(error.name()))
    compacted = create("compacted", cleanup_policy="compact")
    producer.produce(compacted, "without a key", on_delivery=lambda error, _: errors.append(error.name()))
    producer.flush(20)
    print("too large; no key in a compacted topic:", sorted(errors))


def administer(topic):
    print("created again:", error_of(lambda: create("codecs")))
    print("no partitions:", error_of(lambda: create("zero", partitions=0)))
    print("unknown setting:", error_of(lambda: create("odd", no_such="1")))
    print("listed:", topic in admin.list_topics(timeout=10).topics)
    cluster = admin.describe_cluster().result(10)
    print("nodes:", len(cluster.nodes), "controller:", cluster.controller is not None)
    resource = ConfigResource(
        ResourceType.TOPIC,
        topic,
        incremental_configs=[ConfigEntry("retention.ms", "90000", incremental_operation=AlterConfigOpType.SET)],
    )
    list(admin.incremental_alter_configs([resource]).values())[0].result(10)
    settings = list(admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values())[0].result(10)
    print("retention.ms:", settings["retention.ms"].value, "default:", settings["retention.ms"].is_default)
    print("cleanup.policy:", settings["cleanup.policy"].value, "default:", settings["cleanup.policy"].is_default)
    admin.create_partitions([NewPartitions(topic, 4)])[topic].result(10)
    earliest = {TopicPartition(topic, partition): OffsetSpec.earliest() for partition in range(3)}
    print("earliest:", sorted(f.result(10).offset for f in admin.list_offsets(earliest).values()))
    deleted = admin.delete_records([TopicPartition(topic, 0, 5)])
    print("low watermark:", [f.result(10).low_watermark for f in deleted.values()])
    print("earliest:", sorted(f.result(10).offset for f in admin.list_offsets(earliest).values()))

    group = name("reader")
    listed = admin.list_consumer_groups().result(10).valid
    print("group:", [str(found.state) for found in listed if found.group_id == group])
    described = admin.describe_consumer_groups([group])[group].result(10)
    print("described:", described.state, len(described.members))
    place = TopicPartition(topic, 1, 7)
    altered = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [place])])
    altered[group].result(10)
    found = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 1)])])
    print("altered:", [p.offset for p in found[group].result(10).topic_partitions])
    admin.delete_consumer_groups([group])[group].result(10)
    print("deleted again:", error_of(lambda: admin.delete_consumer_groups([group])[group].result(10)))


def transactions():
    source, target, group = create("in"), create("out"), name("copier")
    filler = Producer(SERVER)
    for number in range(30):
        filler.produce(source, str(number))
    filler.flush(20)
    producer = Producer(SERVER | {"transactional.id": name("copier")})
    producer.init_transactions(20)
    reader = Consumer(
        SERVER | {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, "isolation.level": "read_committed"}
    )
    reader.subscribe([source])
    copied = 0
    while copied < 30:
        messages = reader.consume(10, 20)
        producer.begin_transaction()
        for message in messages:
            producer.produce(target, message.value())
        producer.send_offsets_to_transaction(reader.position(reader.assignment()), reader.consumer_group_metadata())
        producer.commit_transaction(20)
        copied += len(messages)
        producer.begin_transaction()
        producer.produce(target, f"aborted after {copied}")
        producer.flush(20)
        producer.abort_transaction(20)
    print("committed offset:", reader.committed([TopicPartition(source, 0)], 10)[0].offset)
    reader.close()
    reader, records = read(30, target, group_id=name("audit"), isolation_level="read_committed")
    print("copied:", [int(record.value()) for record in records] == list(range(30)))
    reader.close()
    fencing = Producer(SERVER | {"transactional.id": name("copier")})
    fencing.init_transactions(20)
    producer.begin_transaction()
    try:
        producer.produce(target, "from the fenced one")
        producer.commit_transaction(20)
        print("not fenced")
    except KafkaException as failure:
        print("fenced:", failure.args[0].fatal(), failure.args[0].name())


stored = produce()
refuse()
administer(stored)
transactions()
for topic in ["codecs", "small", "compacted", "in", "out"]:
    admin.delete_topics([name(topic)])[name(topic)].result(20)
print("deleted again:", error_of(lambda: admin.delete_topics([name("in")])[name("in")].result(20)))
