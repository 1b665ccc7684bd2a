"""Reads one partition by name, without a group."""

from kafka import TopicPartition
from scene import consumer, create, name, producer, read

topic = create(name("parts"), partitions=3)
with_server = producer()
for number in range(9):
    with_server.send(topic, value=b"%d" % number, partition=number % 3)
with_server.close()
reader = consumer()
print("partitions:", sorted(reader.partitions_for_topic(topic)))
reader.assign([TopicPartition(topic, 1)])
for record in read(reader, 3):
    print(record.partition, record.offset, record.value)
print("assigned:", reader.assignment(), "subscribed:", reader.subscription())
reader.close()
