"""Headers and a time of one's own travel with the record."""

from scene import consumer, create, name, producer, read

topic = create(name("traced"), retention_ms=-1)
with_server = producer()
sent = with_server.send(
    topic,
    key=b"k",
    value=b"v",
    headers=[("trace", b"abc-1"), ("empty", b""), ("trace", b"abc-2"), ("bytes", bytes(range(256)))],
    timestamp_ms=1_700_000_000_123,
).get(timeout=10)
print("stored with the time", sent.timestamp)
with_server.send(topic, value=None, key=b"gone", timestamp_ms=1_600_000_000_000).get(timeout=10)
with_server.close()
reader = consumer(topic)
for record in read(reader, 2):
    print(record.key, record.value, record.timestamp, record.timestamp_type)
    for key, value in record.headers:
        print("  header", key, value[:8], len(value))
reader.close()
