"""librdkafka with group.protocol=consumer (KIP-848), by way of confluent-kafka: members come and go, static ones, one of
the classic protocol beside them, regular expressions, and what the admin client sees of it."""

import sys
import threading
import time

from confluent_kafka import Consumer, ConsumerGroupState, ConsumerGroupType, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

BOOTSTRAP, PREFIX = sys.argv[1:3]
SERVER = {"bootstrap.servers": BOOTSTRAP}
admin = AdminClient(SERVER)
topic, group = f"{PREFIX}-shared", f"{PREFIX}-team"


def create(topic, partitions):
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(20)


def fill(topic, numbers, partitions=4):
    producer = Producer(SERVER)
    for number in numbers:
        producer.produce(topic, str(number), partition=number % partitions)
    assert producer.flush(20) == 0


def within(seconds, holds):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, (holds, [(one.assigned, len(one.values)) for one in members])
        time.sleep(0.05)


members = []


class Member(threading.Thread):
    """A group member that reads and commits until it is told to end."""

    def __init__(self, topics=None, **settings):
        super().__init__(daemon=True)
        self.assigned, self.values, self.ending = [], [], threading.Event()
        settings = {"group.protocol": "consumer", "auto.offset.reset": "earliest", "group.id": group} | {
            key.replace("_", "."): value for key, value in settings.items()
        }
        self.reader = Consumer(SERVER | settings | {"topic.metadata.refresh.interval.ms": 500})
        self.reader.subscribe(topics or [topic])
        members.append(self)
        self.start()

    def run(self):
        while not self.ending.is_set():
            message = self.reader.poll(0.2)
            if message is not None and not message.error():
                self.values.append(int(message.value()))
            self.assigned = sorted((one.topic, one.partition) for one in self.reader.assignment())
        self.reader.close()

    def end(self):
        self.ending.set()
        self.join()


def shares(*members):
    return sorted(len(member.assigned) for member in members)


def covered(*members):
    return sorted(sum((member.assigned for member in members), [])) == [(topic, at) for at in range(4)]


def error_of(call):
    try:
        call()
        return "none"
    except KafkaException as failure:
        return failure.args[0].name()


def described():
    found = admin.describe_consumer_groups([group])[group].result(10)
    return found.state, found.type, found.partition_assignor, len(found.members)


create(topic, 4)
first = Member()
within(60, lambda: shares(first) == [4])
print("alone:", *described())
second = Member()
within(60, lambda: shares(first, second) == [2, 2] and covered(first, second))
within(60, lambda: described()[0] == ConsumerGroupState.STABLE)
print("two members: 2 and 2:", *described())
listed = admin.list_consumer_groups(types={ConsumerGroupType.CONSUMER}).result(10).valid
print("listed:", [(str(one.state), str(one.type)) for one in listed if one.group_id == group])
listed = admin.list_consumer_groups(types={ConsumerGroupType.CLASSIC}).result(10).valid
print("not classic:", [one for one in listed if one.group_id == group])
print("deleted with members:", error_of(lambda: admin.delete_consumer_groups([group])[group].result(10)))
fill(topic, range(200))
within(60, lambda: len(first.values) + len(second.values) == 200)
print("each record once:", sorted(first.values + second.values) == list(range(200)))

second.end()
within(60, lambda: shares(first) == [4])
print("alone again: 4")
static = Member(group_instance_id="static")
within(60, lambda: shares(first, static) == [2, 2] and covered(first, static))
print("with a static member: 2 and 2")
kept = static.assigned
static.end()
static = Member(group_instance_id="static")
within(60, lambda: static.assigned == kept)
print("it comes back to its partitions:", shares(first, static), covered(first, static))

classic = Member(group_protocol="classic", partition_assignment_strategy="range", session_timeout_ms=10_000)
within(90, lambda: shares(first, static, classic) == [1, 1, 2] and covered(first, static, classic))
print("with a classic member: 1, 1 and 2:", *described()[1:])
fill(topic, range(200, 400))
read = lambda: sum((one.values for one in members), [])
within(60, lambda: len(read()) >= 400)
print("each record:", sorted(set(read())) == list(range(400)))
first.end()
within(90, lambda: shares(static, classic) == [2, 2] and covered(static, classic))
print("without the first: 2 and 2")
classic.end()
static.end()
committed = Consumer(SERVER | {"group.id": group}).committed([TopicPartition(topic, at) for at in range(4)], 10)
print("committed:", [place.offset for place in committed])

matching = Member([f"^{topic}-.*"], group_id=f"{PREFIX}-matching")
create(f"{topic}-one", 1)
within(60, lambda: matching.assigned == [(f"{topic}-one", 0)])
create(f"{topic}-two", 2)
within(60, lambda: shares(matching) == [3])
print("matching topics, one after the other: 1 and 3")
matching.end()
for gone in [f"{PREFIX}-matching"]:
    admin.delete_consumer_groups([gone])[gone].result(10)
    print("deleted again:", error_of(lambda: admin.delete_consumer_groups([gone])[gone].result(10)))
for gone in [topic, f"{topic}-one", f"{topic}-two"]:
    admin.delete_topics([gone])[gone].result(20)
