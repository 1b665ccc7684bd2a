"""A group member that commits by itself each second; the next one goes on where it was."""

from kafka import TopicPartition
from scene import consumer, create, fill, name, read, within

topic, group = create(name("jobs")), name("auto")
settings = dict(group_id=group, enable_auto_commit=True, auto_commit_interval_ms=1000)
fill(topic, [f"job {n}" for n in range(20)])
reader = consumer(topic, **settings)
for record in read(reader, 20):
    print(record.partition, record.offset, record.value)


def committed():
    reader.poll(timeout_ms=100)
    return reader.committed(TopicPartition(topic, 0)) == 20


within(10, committed)
print("committed while it runs: 20")
reader.close()
fill(topic, ["one more"])
reader = consumer(topic, **settings)
print("the next member gets", [(record.offset, record.value) for record in read(reader, 1)])
reader.close()
reader = consumer(group_id=group)
print("committed at the end:", reader.committed(TopicPartition(topic, 0)))
reader.close()
