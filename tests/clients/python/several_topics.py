"""One group member, several topics."""

from scene import consumer, create, fill, name, read

topics = [create(name(word), partitions=2) for word in ["red", "green", "blue"]]
for topic in topics:
    fill(topic, [f"{topic} {n}" for n in range(4)])
reader = consumer(group_id=name("several"))
reader.subscribe(topics)
values = sorted(record.value for record in read(reader, 12))
print(*values, sep="\n")
print("assigned:", *sorted(reader.assignment()), sep="\n")
reader.close()
