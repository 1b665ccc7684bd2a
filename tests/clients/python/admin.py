"""The admin client: topics, their configuration, groups and their offsets."""

from kafka import OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import KafkaError
from scene import consumer, fill, name, partition_count, read, within
from versions import Admin

admin = Admin()
topic, second, group = name("first"), name("second"), name("group")
partition = TopicPartition(second, 0)


def refused(what, call):
    """Prints the error that the call ends in."""
    try:
        call()
        print(what, "is accepted")
    except KafkaError as error:
        print(what, "is refused:", type(error).__name__)


def create(of, partitions=1, **configs):
    configs = {key.replace("_", "."): value for key, value in configs.items()}
    admin.create_topics([NewTopic(of, partitions, 1, topic_configs=configs)])


# Topics.
create(topic, 3, retention_ms="60000", cleanup_policy="compact")
create(second)
within(10, lambda: partition_count(admin, topic) == 3 and partition_count(admin, second) == 1)
refused("the same topic again", lambda: create(topic, 3))
refused("a name with a space", lambda: create("a b"))
refused("a name of 250 letters", lambda: create("a" * 250))
refused("no partition", lambda: create(name("none"), 0))
refused("an unknown setting", lambda: create(name("odd"), no_such="1"))
refused("a setting that is no number", lambda: create(name("odd"), retention_ms="x"))
print("listed:", topic in admin.list_topics(), second in admin.list_topics())
described = admin.describe_topics([topic])[0]
indexes = [p.get("partition_index", p.get("partition")) for p in described["partitions"]]
print("partitions:", sorted(indexes), "internal:", described["is_internal"])


def config():
    found = admin.settings(topic)
    return {key: found.get(key) for key in ["retention.ms", "cleanup.policy"]}


print("config:", config())
wanted = {"retention.ms": "120000", "cleanup.policy": "delete"}
admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, wanted)])
within(10, lambda: config()["retention.ms"] == "120000")
print("altered:", config())
admin.create_partitions({topic: NewPartitions(5)})
within(10, lambda: partition_count(admin, topic) == 5)
print("partitions now:", partition_count(admin, topic))
refused("fewer partitions", lambda: admin.create_partitions({topic: NewPartitions(2)}))

# Groups.
fill(second, range(10))
reader = consumer(second, group_id=group, enable_auto_commit=False)
read(reader, 10)
reader.commit()
print("group listed:", [found for found in admin.groups() if found[0] == group])
print("described:", *admin.group(group))
refused("deleting a group with a member", lambda: admin.delete_group(group))
print("offsets:", admin.offsets(group))
reader.close()
print("described:", *admin.group(group))
admin.alter_offsets(group, {partition: OffsetAndMetadata(4, "moved", -1)})
print("offsets altered:", admin.offsets(group))
reader = consumer(second, group_id=group)
print("and read from there:", [record.value for record in read(reader, 6)])
reader.close()
admin.delete_group(group)
print("group deleted:", group not in [found[0] for found in admin.groups()])
print("its offsets:", admin.offsets(group))
refused("deleting it again", lambda: admin.delete_group(group))

# Records, and the end.
admin.delete_records({partition: 7})
reader = consumer()
print("begin after records were deleted:", reader.beginning_offsets([partition])[partition])
reader.close()
admin.delete_topics([topic, second])
within(10, lambda: not {topic, second} & set(admin.list_topics()))
print("topics deleted")
refused("deleting what is not there", lambda: admin.delete_topics([name("absent")]))
admin.close()
