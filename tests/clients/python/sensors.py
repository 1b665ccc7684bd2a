"""Sensors: readings by sensor, a window of the last ten, and an alert above a threshold."""

import json
import statistics
from collections import deque

from kafka import TopicPartition
from scene import consumer, create, name, producer, read

SENSORS, READINGS, THRESHOLD = ["hall", "kitchen", "roof"], 60, 30.0
topic, alerts = create(name("sensors"), partitions=2), create(name("alerts"))


def dumps(value):
    return json.dumps(value).encode()


with_server = producer(key_serializer=str.encode, value_serializer=dumps)
for number in range(READINGS):
    sensor = SENSORS[number % 3]
    value = round(20 + 12 * ((number * 37 % 61) / 61) + (number % 3), 2)
    with_server.send(topic, key=sensor, value={"sensor": sensor, "temperature": value})
with_server.flush()

windows = {}
reader = consumer(topic, group_id=name("monitor"), value_deserializer=lambda data: json.loads(data))
for record in read(reader, READINGS):
    sensor, value = record.value["sensor"], record.value["temperature"]
    window = windows.setdefault(sensor, deque(maxlen=10))
    window.append(value)
    if value > THRESHOLD:
        with_server.send(alerts, key=sensor, value=record.value)
reader.close()
with_server.close()
for sensor, window in sorted(windows.items()):
    mean, median = statistics.mean(window), statistics.median(window)
    print(
        f"{sensor}: {len(window)} in window, avg {mean:.2f}, min {min(window)}, "
        f"max {max(window)}, median {median:.2f}"
    )
end = consumer()
count = end.end_offsets([TopicPartition(alerts, 0)])[TopicPartition(alerts, 0)]
end.close()
reader = consumer(alerts, value_deserializer=lambda data: json.loads(data))
for record in read(reader, count):
    print("alert:", record.offset, record.key, record.value["temperature"])
reader.close()
