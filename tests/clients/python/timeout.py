"""A loop over records that ends when none comes for five seconds."""

from scene import consumer, create, fill, name

topic = create(name("short"))
fill(topic, ["a", "b", "c"])
reader = consumer(topic, consumer_timeout_ms=5000)
print([record.value for record in reader])
print("ended; nothing more:", list(reader))
reader.close()
