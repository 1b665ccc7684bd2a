"""Each request of Kafka 2.8's protocol in each of its versions, and what is answered. Only for kafka-python 3."""

import itertools

from kafka import KafkaAdminClient
from kafka.protocol.admin import (
    CreatePartitionsRequest, CreateTopicsRequest, DeleteGroupsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
    DescribeAclsRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest, DescribeLogDirsRequest,
    ElectLeadersRequest, IncrementalAlterConfigsRequest, ListGroupsRequest, ListPartitionReassignmentsRequest,
    AlterConfigsRequest, DescribeProducersRequest,
)
from kafka.protocol.consumer import (
    FetchRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListOffsetsRequest, OffsetCommitRequest,
    OffsetFetchRequest, OffsetForLeaderEpochRequest, SyncGroupRequest,
)
from kafka.protocol.metadata import FindCoordinatorRequest, MetadataRequest
from kafka.protocol.producer import InitProducerIdRequest
from scene import BOOTSTRAP, PREFIX, consumer, create, fill, name, producer, within

admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
topic, group = create(name("t"), retention_ms=-1), name("g")
with_server = producer()
for number in range(3):
    with_server.send(topic, b"%d" % number, timestamp_ms=1_700_000_000_000 + number).get(timeout=10)
with_server.close()
member = consumer(topic, group_id=group, enable_auto_commit=False)
# Being assigned would not be enough: what is committed would depend on whether the records had come by then.
within(20, lambda: member.poll(timeout_ms=100))
member.commit()
member.close()

# What says who the server is, when it was asked, or how it counts its members and producers.
LEFT_OUT = {
    "throttle_time_ms", "cluster_id", "controller_id", "node_id", "host", "port", "broker_id", "leader", "leader_id",
    "replicas", "replica_nodes", "isr", "isr_nodes", "topic_id", "member_id", "producer_id", "log_dir",
    "timestamp_ms", "unknown_tagged_fields", "rack", "total_bytes", "usable_bytes", "partition_size", "error_message",
    "leader_epoch", "current_leader_epoch", "configs", "protocol_metadata", "version", "records", "last_timestamp",
}


def shown(answer):
    if isinstance(answer, dict):
        kept = {key: shown(value) for key, value in answer.items() if key not in LEFT_OUT}
        # None at all and an empty list say the same.
        return {key: value for key, value in kept.items() if key != "aborted_transactions" or value}
    if isinstance(answer, (list, tuple)):
        return sorted((shown(value) for value in answer), key=str)
    return answer


def built(data_class, value):
    """The dictionary as the request's own class."""
    fields = data_class.fields
    return data_class(**{key: field_value(fields[key], part) for key, part in value.items() if key in fields})


def field_value(field, value):
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [built(field.data_class, part) for part in value]
    return value


async def ask(request, node_id):
    return await admin._manager.send(request, node_id=node_id)


def every_version(request_class, first, last, node_id=1, show=shown, **fields):
    """Sends it in each version that has those fields; versions with the same answer share a line."""
    answers = []
    for version in range(first, last + 1):
        try:
            given = {key: field_value(request_class.fields[key], value) for key, value in fields.items()}
            if request_class is MetadataRequest and version < 10:
                given["topics"] = [topic.name for topic in given["topics"]]
            request = request_class(**given, min_version=version, max_version=version)
            answer = admin._manager.run(ask, request, node_id)
            answers.append((version, str(show(answer.to_dict()))))
        except Exception as failure:
            answers.append((version, f"{type(failure).__name__}: {failure}"[:150]))
    for answer, versions in itertools.groupby(answers, key=lambda pair: pair[1]):
        versions = [version for version, _ in versions]
        print(f"{request_class.__name__} {versions[0]}-{versions[-1]}: {answer}")


node = admin.describe_cluster()["controller_id"]
RETENTION = {"name": "retention.ms", "value": "60000", "config_operation": 0}
TOPIC = {"resource_type": 2, "resource_name": topic}


def partitions(partition_key="partition_index", topic_key="name", of=topic, **fields):
    return [{topic_key: of, "partitions": [{partition_key: 0, **fields}]}]


every_version(MetadataRequest, 0, 11, topics=[{"name": topic}])
every_version(MetadataRequest, 4, 11, topics=[{"name": name("absent")}], allow_auto_topic_creation=False)
every_version(
    MetadataRequest, 8, 10, topics=[{"name": topic}], include_cluster_authorized_operations=True,
    include_topic_authorized_operations=True,
)
for time in [-1, -2, 0, 1_700_000_000_001, 1_800_000_000_000]:
    every_version(ListOffsetsRequest, 1, 6, node, replica_id=-1, topics=partitions(timestamp=time))
every_version(ListOffsetsRequest, 7, 7, node, replica_id=-1, topics=partitions(timestamp=-3))
absent = partitions(of=name("absent"), timestamp=-1)
every_version(ListOffsetsRequest, 1, 6, node, replica_id=-1, topics=absent)
every_version(
    OffsetForLeaderEpochRequest, 2, 4, node, replica_id=-1,
    topics=partitions("partition", "topic", current_leader_epoch=-1, leader_epoch=0),
)
fetched = dict(max_wait_ms=100, min_bytes=1, max_bytes=1_000_000, replica_id=-1, session_id=0, session_epoch=-1)
for offset in [0, 2, 3, 99]:
    place = dict(fetch_offset=offset, partition_max_bytes=1_000_000)
    every_version(FetchRequest, 4, 12, node, topics=partitions("partition", "topic", **place), **fetched)
place = dict(fetch_offset=0, partition_max_bytes=1)
every_version(FetchRequest, 4, 12, node, topics=partitions("partition", "topic", of=name("absent"), **place), **fetched)
every_version(FindCoordinatorRequest, 0, 3, node, key=group)
every_version(FindCoordinatorRequest, 1, 3, node, key=name("transaction"), key_type=1)
every_version(FindCoordinatorRequest, 4, 4, node, key_type=0, coordinator_keys=[group, name("other")])
every_version(OffsetFetchRequest, 1, 7, node, group_id=group, topics=[{"name": topic, "partition_indexes": [0, 1]}])
every_version(OffsetFetchRequest, 2, 7, node, group_id=group, topics=None)
every_version(OffsetFetchRequest, 1, 7, node, group_id=name("x"), topics=[{"name": topic, "partition_indexes": [0]}])
every_version(
    OffsetFetchRequest, 8, 8, node,
    groups=[{"group_id": group, "topics": None}, {"group_id": name("x"), "topics": None}],
)
committed = partitions(committed_offset=2, committed_leader_epoch=-1, commit_timestamp=-1, committed_metadata="m")
simple = dict(generation_id_or_member_epoch=-1, member_id="", retention_time_ms=-1)
every_version(OffsetCommitRequest, 2, 8, node, group_id=group, topics=committed, **simple)
unknown = dict(generation_id_or_member_epoch=5, member_id="nobody", retention_time_ms=-1)
every_version(OffsetCommitRequest, 2, 8, node, group_id=group, topics=committed, **unknown)
every_version(HeartbeatRequest, 0, 4, node, group_id=group, generation_id=1, member_id="nobody")
chosen = dict(protocol_type="consumer", protocol_name="range", assignments=[])
every_version(SyncGroupRequest, 0, 5, node, group_id=group, generation_id=1, member_id="nobody", **chosen)
every_version(LeaveGroupRequest, 0, 2, node, group_id=group, member_id="nobody")
every_version(LeaveGroupRequest, 3, 4, node, group_id=group, members=[{"member_id": "nobody"}])
joining = dict(session_timeout_ms=10_000, rebalance_timeout_ms=10_000, member_id="", protocol_type="consumer")
protocols = [{"name": "range", "metadata": b"x"}]
every_version(JoinGroupRequest, 4, 7, node, group_id=name("joined"), protocols=protocols, **joining)
every_version(JoinGroupRequest, 0, 7, node, group_id="", protocols=protocols, **joining)
joining["session_timeout_ms"] = 5
every_version(JoinGroupRequest, 0, 7, node, group_id=name("joined"), protocols=protocols, **joining)
every_version(DescribeGroupsRequest, 0, 5, node, groups=[group, name("x")])
every_version(DescribeGroupsRequest, 3, 5, node, groups=[group], include_authorized_operations=True)


def mine(answer):
    return [found for found in answer["groups"] if found["group_id"] == group]


every_version(ListGroupsRequest, 0, 4, node, show=mine)
every_version(ListGroupsRequest, 4, 4, node, show=mine, states_filter=["Stable"])
beginning = dict(transactional_id=None, transaction_timeout_ms=60_000, producer_id=-1, producer_epoch=-1)
every_version(InitProducerIdRequest, 0, 4, node, **beginning)
validated = dict(timeout_ms=5000, validate_only=True)
wanted = [dict(name=word, num_partitions=2, replication_factor=1) for word in [name("valid"), topic, "not valid"]]
every_version(CreateTopicsRequest, 2, 7, node, topics=wanted, **validated)
more = [{"name": word, "count": 4} for word in [topic, name("x")]]
every_version(CreatePartitionsRequest, 0, 3, node, topics=more, **validated)
every_version(DeleteTopicsRequest, 1, 5, node, timeout_ms=5000, topic_names=[name("absent")])
every_version(DeleteRecordsRequest, 0, 2, node, timeout_ms=5000, topics=partitions(offset=1))
every_version(DescribeConfigsRequest, 1, 4, node, resources=[{**TOPIC, "configuration_keys": ["retention.ms"]}])
unknown = {"resource_type": 2, "resource_name": name("x"), "configuration_keys": None}
every_version(DescribeConfigsRequest, 1, 4, node, resources=[unknown])
changed = [{**TOPIC, "configs": [RETENTION]}]
every_version(AlterConfigsRequest, 0, 2, node, validate_only=True, resources=changed)
every_version(IncrementalAlterConfigsRequest, 0, 1, node, validate_only=True, resources=changed)
every_version(DeleteGroupsRequest, 0, 2, node, groups_names=[name("x")])
every_version(DescribeClusterRequest, 0, 1, node, include_cluster_authorized_operations=True, endpoint_type=1)
every_version(DescribeLogDirsRequest, 1, 4, node, topics=[{"topic": topic, "partitions": [0]}])
every_version(
    DescribeAclsRequest, 1, 3, node, resource_type_filter=2, resource_name_filter=None, pattern_type_filter=3,
    principal_filter=None, host_filter=None, operation=1, permission_type=1,
)
elected = [{"topic": topic, "partitions": [0]}]
every_version(ElectLeadersRequest, 0, 2, node, election_type=0, timeout_ms=5000, topic_partitions=elected)
every_version(ListPartitionReassignmentsRequest, 0, 0, node, timeout_ms=5000, topics=None)
every_version(DescribeProducersRequest, 0, 0, node, topics=[{"name": name("x"), "partition_indexes": [0]}])
admin.delete_topics([topic])
admin.close()
