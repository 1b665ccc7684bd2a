"""aiokafka: a producer with every codec, two group members, seeking, transactions and the admin client."""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

BOOTSTRAP, PREFIX = sys.argv[1:3]


def name(word):
    return f"{PREFIX}-{word}"


async def read(reader, count):
    """The next `count` records, in order."""
    records = []
    while len(records) < count:
        batches = await asyncio.wait_for(reader.getmany(timeout_ms=500), 20)
        records += [record for batch in batches.values() for record in batch]
    return sorted(records, key=lambda r: (r.topic, r.partition, r.offset))


async def produce(topic):
    for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
        async with AIOKafkaProducer(
            bootstrap_servers=BOOTSTRAP, compression_type=codec, enable_idempotence=codec != "gzip", linger_ms=20
        ) as producer:
            sent = [
                await producer.send(
                    topic,
                    f"{codec} {number} ".encode() + b"x" * 100,
                    key=b"%d" % (number % 5),
                    headers=[("codec", str(codec).encode())],
                    timestamp_ms=1_700_000_000_000 + number,
                )
                for number in range(100)
            ]
            stored = [await future for future in sent]
            print(codec, "last of each partition:", sorted({s.partition: s.offset for s in stored}.items()))


async def members(topic):
    """Two members share the partitions; each record comes to one of them."""
    settings = dict(
        bootstrap_servers=BOOTSTRAP, group_id=name("pair"), auto_offset_reset="earliest", enable_auto_commit=False,
        heartbeat_interval_ms=300,
    )
    async with AIOKafkaConsumer(topic, **settings) as first, AIOKafkaConsumer(topic, **settings) as second:
        while sorted([len(first.assignment()), len(second.assignment())]) != [1, 2]:
            await asyncio.sleep(0.1)
        print("shares: 1 and 2")
        seen = []
        while len(seen) < 500:
            for member in [first, second]:
                batches = await member.getmany(timeout_ms=200)
                seen += [(r.partition, r.offset) for batch in batches.values() for r in batch]
        print(len(seen), "records,", len(set(seen)), "different")
        await first.commit()
        await second.commit()
    async with AIOKafkaConsumer(**{**settings, "enable_auto_commit": False}) as reader:
        committed = [await reader.committed(TopicPartition(topic, p)) for p in range(3)]
        print("committed:", committed)


async def seek(topic):
    async with AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP) as reader:
        partition = TopicPartition(topic, 0)
        reader.assign([partition])
        print("begin and end:", await reader.beginning_offsets([partition]), await reader.end_offsets([partition]))
        reader.seek(partition, 5)
        print("at 5:", (await read(reader, 1))[0].value[:7])
        found = await reader.offsets_for_times({partition: 1_700_000_000_050})
        print("by time:", found[partition].offset, found[partition].timestamp)


async def transactions(topic):
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id=name("t")) as producer:
        for kept in [False, True]:
            try:
                async with producer.transaction():
                    await producer.send_and_wait(topic, f"kept: {kept}".encode(), partition=0)
                    await producer.send_offsets_to_transaction({TopicPartition(topic, 0): 7}, name("t"))
                    if not kept:
                        raise ValueError
            except ValueError:
                print("aborted")
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=BOOTSTRAP, isolation_level="read_committed", auto_offset_reset="earliest",
        group_id=name("t"), enable_auto_commit=False,
    ) as reader:
        print("offset:", await reader.committed(TopicPartition(topic, 0)))
        reader.seek(TopicPartition(topic, 0), 0)
        print("read committed:", [(r.offset, r.value) for r in await read(reader, 1)])


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    topic, second = name("aio"), name("aio-transactions")
    await admin.create_topics([NewTopic(topic, 3, 1, topic_configs={"retention.ms": "-1"}), NewTopic(second, 1, 1)])
    try:
        print("again:", (await admin.create_topics([NewTopic(topic, 3, 1)])).topic_errors[0][1])
    except KafkaError as failure:
        print("again:", failure.errno)
    await produce(topic)
    await members(topic)
    await seek(topic)
    await transactions(second)
    print("group:", [group for group in await admin.list_consumer_groups() if group[0] == name("pair")])
    print("listed:", {topic, second} <= set(await admin.list_topics()))
    await admin.delete_topics([topic, second])
    await admin.close()


asyncio.run(asyncio.wait_for(main(), 90))
