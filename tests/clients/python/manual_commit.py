"""A group member that commits after every ten records; what was not committed comes again."""

from kafka import TopicPartition
from scene import consumer, create, fill, name, read

topic, group = create(name("payments")), name("manual")
fill(topic, [f"payment {n}" for n in range(25)])
reader = consumer(topic, group_id=group, enable_auto_commit=False, max_poll_records=10)
seen = 0
for record in reader:
    seen += 1
    if seen % 10 == 0:
        reader.commit()
        print("committed after", seen, "records:", reader.committed(TopicPartition(topic, 0)))
    if seen == 25:
        break
reader.close(autocommit=False)
reader = consumer(topic, group_id=group, enable_auto_commit=False)
again = read(reader, 5)
print("again:", again[0].offset, again[0].value, "to", again[-1].offset, again[-1].value)
reader.close(autocommit=False)
