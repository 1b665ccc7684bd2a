"""Sends without waiting; callbacks tell what was stored and what was not."""

import threading

from kafka import KafkaProducer
from scene import consumer, create, name, producer, read

topic = create(name("events"), partitions=2)
small = create(name("small"), max_message_bytes=1000)
lock = threading.Lock()
stored, failed = [], []


def on_success(metadata):
    with lock:
        stored.append((metadata.topic, metadata.partition, metadata.offset))


def on_error(error):
    with lock:
        failed.append(type(error).__name__)


# What was kafka-python 2's bound on memory is gone in 3.
memory = {"buffer_memory": 33554432} if "buffer_memory" in KafkaProducer.DEFAULT_CONFIG else {}
with_server = producer(acks="all", retries=3, batch_size=16384, linger_ms=10, **memory)
for number in range(1000):
    future = with_server.send(topic, value=b"event %d" % number, partition=number % 2)
    future.add_callback(on_success).add_errback(on_error)
with_server.flush()
print(f"{len(stored)} stored, {len(failed)} failed")
print("last of each partition:", sorted(stored)[499], sorted(stored)[999])

future = with_server.send(small, value=b"x" * 5000)
future.add_callback(on_success).add_errback(on_error)
with_server.flush()
with_server.close()
print(f"{len(stored)} stored, {len(failed)} failed: {failed}")

reader = consumer(topic, small)
records = read(reader, 1000)
print(len(records), "read; all of them once:", len({record.value for record in records}) == 1000)
reader.close()
