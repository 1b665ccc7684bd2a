"""Sends a few records and waits for each: where was it stored?"""

from scene import create, name, producer

topic = create(name("orders"))
with_server = producer()
for number in range(5):
    future = with_server.send(topic, value=f"order {number}".encode())
    stored = future.get(timeout=10)
    print(f"topic={stored.topic} partition={stored.partition} offset={stored.offset}")
with_server.close()
