"""All topics whose name fits, those that are made later too."""

from scene import PREFIX, consumer, create, fill, name, read

for word in ["a", "b"]:
    fill(create(f"my-{PREFIX}-{word}"), [word])
fill(create(name("other")), ["not mine"])
reader = consumer(group_id=name("pattern"), metadata_max_age_ms=500)
reader.subscribe(pattern=f"^my-{PREFIX}.*")
print(*[(record.topic, record.value) for record in read(reader, 2)], sep="\n")
fill(create(f"my-{PREFIX}-c"), ["c"])
print(*[(record.topic, record.value) for record in read(reader, 1)], sep="\n")
print("subscribed:", *sorted(reader.subscription()), sep="\n")
reader.close()
