"""One thread reads, three workers do the work."""

import queue
import threading
import time

from scene import consumer, create, fill, name

topic = create(name("tasks"), partitions=3)
fill(topic, range(300))
tasks, done, lock = queue.Queue(maxsize=50), [], threading.Lock()


def read_all():
    """Reads until nothing comes for three seconds, and then tells each worker to end."""
    reader = consumer(topic, group_id=name("pool"), consumer_timeout_ms=3000)
    # A busy server may take longer than that to let it into the group.
    came, deadline = 0, time.monotonic() + 60
    while came < 300 and time.monotonic() < deadline:
        for record in reader:
            tasks.put(record)
            came += 1
    reader.close()
    for _ in workers:
        tasks.put(None)


def work():
    while (record := tasks.get()) is not None:
        with lock:
            done.append(int(record.value) ** 2)


workers = [threading.Thread(target=work) for _ in range(3)]
threads = [threading.Thread(target=read_all), *workers]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(done), "tasks done, sum", sum(done))
