"""A driver in Python that does what its first argument says; the others are printed."""

import os
import sys
import time
from pathlib import Path

from pyspark import SparkConf, SparkContext  # type: ignore[import-not-found, unused-ignore]

what, *others = sys.argv[1:]
context = SparkContext(conf=SparkConf())  # no session of SQL, whose classes take a second to load
print("arguments", others, flush=True)
print("divisor", context.getConf().get("spark.mflow.test.password", "none")[::-1], flush=True)
with open(f"/proc/{os.getppid()}/cmdline", "rb") as file:
    print("command line", file.read().replace(b"\0", b" "), flush=True)
divisor = 0 if what == "executor" else 1
print("counted", context.parallelize(range(10), 1).map(lambda each: each // divisor).count(), flush=True)
if what == "fail":
    raise LookupError("broken in the driver")
if what == "exit":
    sys.exit(3)
while what == "wait" and not Path(others[0]).exists():
    time.sleep(0.2)
context.stop()
