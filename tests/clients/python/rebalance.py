"""Members come and go, and every partition always has one who reads it."""

import threading

from scene import consumer, create, fill, name, read, within

topic, group = create(name("shared"), partitions=4), name("team")


class Member(threading.Thread):
    """A group member that reads until it is told to end."""

    def __init__(self, **settings):
        super().__init__()
        self.assigned, self.values, self.ending = [], [], threading.Event()
        self.reader = consumer(
            topic, group_id=group, session_timeout_ms=10_000, heartbeat_interval_ms=300, **settings
        )
        self.start()

    def run(self):
        while not self.ending.is_set():
            for batch in self.reader.poll(timeout_ms=1000).values():
                self.values.extend(int(record.value) for record in batch)
            self.assigned = sorted(partition.partition for partition in self.reader.assignment())
        self.reader.close()

    def end(self):
        self.ending.set()
        self.join()


def shares(*members):
    return sorted(len(member.assigned) for member in members)


def covered(*members):
    return sorted(sum((member.assigned for member in members), [])) == [0, 1, 2, 3]


first = Member()
within(20, lambda: shares(first) == [4])
print("alone: 4")
second = Member()
within(20, lambda: shares(first, second) == [2, 2] and covered(first, second))
print("two members: 2 and 2")
fill(topic, range(200))
within(20, lambda: len(first.values) + len(second.values) == 200)
print("each record once:", sorted(first.values + second.values) == list(range(200)))
second.end()
within(20, lambda: shares(first) == [4])
print("alone again: 4")
static = Member(group_instance_id="static")
within(20, lambda: shares(first, static) == [2, 2])
print("with a static member: 2 and 2")
first.end()
within(20, lambda: shares(static) == [4])
print("the static member alone: 4")
static.end()
