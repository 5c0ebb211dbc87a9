"""A small Spark application: tickets counted by their state. Its first argument is how many tickets to make up."""

import sys

from pyspark.sql import SparkSession, functions  # type: ignore[import-not-found, unused-ignore]

count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
session = SparkSession.builder.getOrCreate()
tickets = session.range(count).withColumn(
    "state", functions.expr("elt(1 + id % 3, 'open', 'waiting', 'closed')")
)
tickets.groupBy("state").count().orderBy("state").show()
session.stop()
