"""What kafka-python 2 and 3 call by other names."""

from kafka import KafkaAdminClient, errors
from kafka.admin import ConfigResource, ConfigResourceType
from scene import BOOTSTRAP, consumer

V3 = hasattr(KafkaAdminClient, "list_groups")


class Admin(KafkaAdminClient):
    """The admin client, with the same methods in both versions."""

    def __init__(self):
        super().__init__(bootstrap_servers=BOOTSTRAP)

    def settings(self, topic):
        """The settings of a topic by name."""
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        if V3:
            described = self.describe_configs([resource], config_filter="all")["topic"][topic]
            return {name: setting["value"] for name, setting in described.items()}
        described = self.describe_configs([resource])[0].to_object()
        return {s["config_names"]: s["config_value"] for s in described["resources"][0]["config_entries"]}

    def groups(self):
        """Names and protocol types of all groups."""
        if V3:
            return [(group["group_id"], group["protocol_type"]) for group in self.list_groups()]
        return self.list_consumer_groups()

    def group(self, group):
        """State, protocol type and number of members."""
        if V3:
            found = self.describe_groups([group])[group]
            return found["group_state"], found["protocol_type"], len(found["members"])
        found = self.describe_consumer_groups([group])[0]
        return found.state, found.protocol_type, len(found.members)

    def offsets(self, group):
        """What the group has committed, by partition."""
        if V3:
            found = self.list_group_offsets([group])[group]
        else:
            found = self.list_consumer_group_offsets(group)
        return {p.partition: (offset.offset, offset.metadata) for p, offset in found.items()}

    def alter_offsets(self, group, offsets):
        if V3:
            self.alter_group_offsets(group, offsets)
            return
        # kafka-python 2 has no such call; a member without a subscription may commit what it likes.
        mover = consumer(group_id=group)
        mover.assign(list(offsets))
        mover.commit(offsets)
        mover.close()

    def delete_group(self, group):
        if V3:
            result = self.delete_groups([group])[group]
            error = errors.NoError if result == "OK" else getattr(errors, result)
        else:
            error = self.delete_consumer_groups([group])[0][1]
        if error is not errors.NoError:
            raise error
