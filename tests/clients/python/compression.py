"""Every codec: what is sent comes back, and takes less room on the server's disk."""

from scene import BOOTSTRAP, consumer, create, name, producer, read
from sizes import sizes
from versions import V3

LINES = [b"%05d GET /index.html HTTP/1.1 200 Mozilla/5.0 (X11; Linux x86_64)" % n for n in range(2000)]

topics = {}
for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
    topic = topics[codec] = create(name(str(codec)))
    with_server = producer(compression_type=codec, linger_ms=50, batch_size=65536)
    for line in LINES:
        with_server.send(topic, line)
    with_server.close()
    reader = consumer(topic)
    values = [record.value for record in read(reader, len(LINES))]
    print(codec, len(values), "read, as sent:", values == LINES)
    reader.close()

if V3:
    plain, *compressed = sizes(BOOTSTRAP, topics.values())
    print("uncompressed takes more than the lines:", plain > sum(map(len, LINES)))
    for codec, size in zip(["gzip", "snappy", "lz4", "zstd"], compressed):
        print(codec, "takes less than a third on disk:", 0 < size < plain / 3)
