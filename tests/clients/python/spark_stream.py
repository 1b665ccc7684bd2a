"""Spark reads a topic with structured streaming, and goes on at its checkpoint; and writes a topic."""

import os
import sys
import tempfile

from pyspark.sql import SparkSession

bootstrap, prefix = sys.argv[1:3]
source, target = f"{prefix}-numbers", f"{prefix}-squares"
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", os.environ["SPARK_KAFKA_JARS"])
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "2")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
server = {"kafka.bootstrap.servers": bootstrap}


def write(first, end):
    """Numbers as records, the key by the last digit."""
    numbers = spark.range(first, end).selectExpr(
        "CAST(id % 10 AS STRING) AS key", "CAST(id AS STRING) AS value"
    )
    numbers.write.format("kafka").options(**server).option("topic", source).save()


def stream(folder):
    """Reads what is new, stores it as JSON, and ends."""
    records = (
        spark.readStream.format("kafka").options(**server).option("subscribe", source)
        .option("startingOffsets", "earliest").option("maxOffsetsPerTrigger", 400).load()
    )
    query = (
        records.selectExpr("CAST(CAST(value AS STRING) AS LONG) AS number", "partition", "offset").writeStream.format("json")
        .option("path", f"{folder}/out").option("checkpointLocation", f"{folder}/checkpoint")
        .trigger(availableNow=True).start()
    )
    query.awaitTermination(300)
    stored = spark.read.json(f"{folder}/out")
    return stored.count(), stored.select("number").distinct().count(), stored.agg({"number": "sum"}).first()[0]


with tempfile.TemporaryDirectory() as folder:
    write(0, 1000)
    print("first run: rows, different, sum:", stream(folder))
    write(1000, 1500)
    print("from the checkpoint:", stream(folder))

records = spark.read.format("kafka").options(**server).option("subscribe", source).load()
print("batch:", records.count(), "records,", records.selectExpr("CAST(key AS STRING)").distinct().count(), "keys")
late = records.selectExpr("CAST(CAST(value AS STRING) AS LONG) AS n").where("n >= 1490").selectExpr(
    "CAST(n AS STRING) AS key", "CAST(n * n AS STRING) AS value"
)
late.write.format("kafka").options(**server).option("topic", target).option("includeHeaders", "true").save()
squares = spark.read.format("kafka").options(**server).option("subscribePattern", f"{prefix}-squa.*").load()
print("written:", sorted(int(row[0]) for row in squares.selectExpr("CAST(value AS STRING)").collect()))
spark.stop()
