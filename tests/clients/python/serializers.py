"""Values as JSON and as msgpack, keys as text, and back again."""

import json

import msgpack
from scene import consumer, create, name, producer, read

FORMATS = {
    "json": (lambda value: json.dumps(value).encode("utf-8"), lambda data: json.loads(data)),
    "msgpack": (msgpack.packb, msgpack.unpackb),
}
EVENTS = [
    {"user": "anna", "amount": 12.5, "tags": ["new", "paid"]},
    {"user": "zoë", "amount": -3, "tags": []},
    {"user": "李", "amount": None, "nested": {"a": {"b": True}}},
]

for format_name, (pack, unpack) in FORMATS.items():
    topic = create(name(format_name))
    with_server = producer(value_serializer=pack, key_serializer=str.encode)
    for event in EVENTS:
        with_server.send(topic, key=event["user"], value=event).get(timeout=10)
    with_server.close()
    reader = consumer(topic, value_deserializer=unpack, key_deserializer=bytes.decode)
    for record in read(reader, len(EVENTS)):
        print(format_name, record.offset, record.key, json.dumps(record.value, sort_keys=True))
    reader.close()
