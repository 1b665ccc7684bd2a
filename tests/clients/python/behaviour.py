"""What users do: one program sends JSON events keyed by user, another one counts them by action and device."""

import json
import threading
from collections import Counter

from scene import consumer, create, name, producer

ACTIONS, DEVICES = ["view", "click", "purchase"], ["phone", "desktop", "tablet"]
EVENTS = 500
topic = create(name("behaviour"), partitions=3)


def produce():
    with_server = producer(
        key_serializer=str.encode, value_serializer=lambda value: json.dumps(value).encode()
    )
    for number in range(EVENTS):
        event = {
            "user_id": f"user-{number % 17}",
            "number": number,
            "action": ACTIONS[number * number % 3],
            "device": DEVICES[number // 5 % 3],
        }
        with_server.send(topic, key=event["user_id"], value=event)
    with_server.close()


def process():
    reader = consumer(
        topic,
        group_id=name("statistics"),
        value_deserializer=lambda data: json.loads(data),
        consumer_timeout_ms=20_000,
    )
    actions, devices, users, last, in_order = Counter(), Counter(), {}, {}, True
    for count, record in enumerate(reader, start=1):
        event = record.value
        actions[event["action"]] += 1
        devices[event["device"]] += 1
        users.setdefault(event["user_id"], set()).add(record.partition)
        in_order &= last.get(event["user_id"], -1) < event["number"]
        last[event["user_id"]] = event["number"]
        if count == EVENTS:
            break
    reader.close()
    print("actions:", sorted(actions.items()))
    print("devices:", sorted(devices.items()))
    print("users:", {user: sorted(partitions) for user, partitions in sorted(users.items())})
    print("each user in order:", in_order)


threads = [threading.Thread(target=produce), threading.Thread(target=process)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
