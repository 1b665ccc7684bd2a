"""Positions: begin, end, seek, and the first record at or after a time."""

from kafka import TopicPartition
from scene import consumer, create, name, producer, read

topic = create(name("history"), retention_ms=-1)
partition, empty = TopicPartition(topic, 0), TopicPartition(create(name("empty")), 0)
HOUR, START = 3_600_000, 1_700_000_000_000
with_server = producer()
for number in range(100):
    with_server.send(topic, value=b"%d" % number, timestamp_ms=START + number * HOUR).get(timeout=10)
with_server.close()

reader = consumer()
reader.assign([partition, empty])
print("begin:", sorted(reader.beginning_offsets([partition, empty]).items()))
print("end:", sorted(reader.end_offsets([partition, empty]).items()))
print("position before reading:", reader.position(partition))
reader.seek(partition, 42)
print("position after seek:", reader.position(partition))
print("first record there:", read(reader, 1)[0].value)
reader.seek_to_end(partition)
print("position at the end:", reader.position(partition))
reader.seek_to_beginning(partition)
print("position at the begin:", reader.position(partition))
print("highwater after reading:", read(reader, 100)[-1].offset, reader.highwater(partition))


def at(time):
    """The first record at or after `time`."""
    found = reader.offsets_for_times({partition: time, empty: time})
    short = {p.topic: found[p] and (found[p].offset, found[p].timestamp) for p in sorted(found)}
    print(f"at {time - START:+} ms:", short)


for time in [START - HOUR, START, START + 1, START + 10 * HOUR, START + 10 * HOUR + 1, START + 99 * HOUR]:
    at(time)
at(START + 99 * HOUR + 1)
reader.close()

for reset in ["earliest", "latest"]:
    reader = consumer(auto_offset_reset=reset)
    reader.assign([partition])
    reader.seek(partition, 1000)
    reader.poll(timeout_ms=1500, max_records=1)
    print(f"out of range, then {reset}:", reader.position(partition))
    reader.close()
