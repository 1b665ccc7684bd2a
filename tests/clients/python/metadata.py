"""What a stored and a read record tell about themselves."""

from scene import consumer, create, name, producer, read

for topic, settings in [("created", {}), ("appended", {"message_timestamp_type": "LogAppendTime"})]:
    topic = create(name(topic), retention_ms=-1, **settings)
    with_server = producer()
    sent = with_server.send(
        topic, key="schlüssel".encode(), value=b"value", headers=[("h", b"12345")], timestamp_ms=1234567890123
    ).get(timeout=10)
    bare = with_server.send(topic, value=b"").get(timeout=10)
    with_server.close()
    print(sent.topic, sent.partition, sent.offset, sent.checksum)
    print("sizes:", sent.serialized_key_size, sent.serialized_value_size, sent.serialized_header_size)
    print("sizes:", bare.serialized_key_size, bare.serialized_value_size, bare.serialized_header_size)
    print("the time that was given:", sent.timestamp == 1234567890123)
    reader = consumer(topic)
    for record in read(reader, 2):
        print(record.topic, record.partition, record.offset, record.timestamp_type, record.checksum)
        print(
            "sizes:",
            record.serialized_key_size,
            record.serialized_value_size,
            record.serialized_header_size,
        )
        print("the time that was given:", record.timestamp == 1234567890123)
    print("acknowledged and read time are one:", record.timestamp == bare.timestamp)
    reader.close()
