"""Records of a transaction: all or none, together with the offsets that were read."""

from kafka import OffsetAndMetadata, TopicPartition
from scene import consumer, create, fill, name, producer, read, within

source, target = create(name("in")), create(name("out"))
fill(source, range(6))
group = name("copier")
with_server = producer(transactional_id=name("copier"), acks="all")
with_server.init_transactions()
offsets = {TopicPartition(source, 0): OffsetAndMetadata(3, "half", -1)}

with_server.begin_transaction()
for number in range(3):
    with_server.send(target, b"aborted %d" % number)
with_server.send_offsets_to_transaction(offsets, group)
with_server.flush()
with_server.abort_transaction()

reader = consumer(group_id=group)
print("offset after the abort:", reader.committed(TopicPartition(source, 0)))

with_server.begin_transaction()
for number in range(3):
    with_server.send(target, b"committed %d" % number)
with_server.send_offsets_to_transaction(offsets, group)
with_server.commit_transaction()
within(10, lambda: reader.committed(TopicPartition(source, 0)) == 3)
print("offset after the commit:", reader.committed(TopicPartition(source, 0)))
reader.close()

with_server.begin_transaction()
with_server.send(target, b"open").get(timeout=10)
partition = TopicPartition(target, 0)
for level in ["read_committed", "read_uncommitted"]:
    reader = consumer(isolation_level=level)
    reader.assign([partition])
    count = 3 if level == "read_committed" else 7
    for record in read(reader, count):
        print(level, record.offset, record.value)
    print(level, "end:", reader.end_offsets([partition])[partition])
    reader.close()

fencing = producer(transactional_id=name("copier"), acks="all")
fencing.init_transactions()
try:
    with_server.send(target, b"fenced").get(timeout=10)
    with_server.commit_transaction()
    print("not fenced")
except Exception as error:
    print("the old producer is fenced:", "Fenced" in type(error).__name__ or "Epoch" in type(error).__name__)
fencing.begin_transaction()
fencing.send(target, b"last").get(timeout=10)
fencing.commit_transaction()
fencing.close()
with_server.close(timeout=1)
reader = consumer(target, isolation_level="read_committed")
print([(record.offset, record.value) for record in read(reader, 4)])
reader.close()
