# SPDX-License-Identifier: MIT
"""Range operations: how their cost grows with one thing at a time.

Beside foldfs: the store's own call, where it has one, and copying the rest of the file and
renaming the copy over it, which is what people do where there is none.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

import contenders

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

WORKS = [
    ("range-size", "collapse of 4 KiB off the front; file size grows"),
    ("range-insert-size", "insert of 4 KiB at the front; file size grows"),
    ("range-move-size", "move of 4 KiB from the front to the end; file size grows"),
    ("range-length", "collapse in a file of 4 GiB; the length that is cut grows"),
    ("range-insert-length", "insert in a file of 4 GiB; the length of the gap grows"),
    ("range-move-length", "move to the end of a file of 4 GiB; the length grows"),
    ("range-clean", "collapse of 4 KiB, 1 GiB; clean resident pages grow"),
    ("range-dirty", "collapse of 4 KiB, 1 GiB; dirty resident pages grow"),
    ("range-hammers", "collapse of 4 KiB, 64 MiB all dirty; hammering processes grow"),
]


OPERATIONS = {"range-size": "collapse", "range-insert-size": "insert",
              "range-move-size": "move", "range-length": "collapse",
              "range-insert-length": "insert", "range-move-length": "move"}

# How much of a file is data; the rest is a hole. To make it takes longer than anything else.
DATA_MAX = 256 * MIB


def points(name, quick):
    """Each point: x, operation, settings of bench-shift."""
    operation = OPERATIONS.get(name, "collapse")
    if name.endswith("-size"):
        sizes = [MIB, 16 * MIB, 256 * MIB] + ([] if quick else [GIB, 8 * GIB, 64 * GIB])
        # Where the rest is copied, all of what is compared is data.
        return [(size, operation, {"bytes": size, "len": 4 * KIB, "state": "none",
                                   "data": size if size <= GIB else DATA_MAX})
                for size in sizes]
    if name.endswith("-length"):
        whole = 256 * MIB if quick else 4 * GIB
        lengths = [4 * KIB, 64 * KIB, MIB, 16 * MIB] + ([] if quick else [256 * MIB, GIB])
        return [(length, operation, {"bytes": whole, "len": length, "state": "none",
                                     "data": DATA_MAX}) for length in lengths]
    if name in ("range-clean", "range-dirty"):
        sizes = [MIB, 16 * MIB, 64 * MIB] + ([] if quick else [256 * MIB, GIB])
        return [(size, "collapse", {"bytes": 256 * MIB if quick else GIB, "data": size,
                                    "len": 4 * KIB, "state": name[6:]}) for size in sizes]
    return [(n, "collapse", {"bytes": 64 * MIB, "len": 4 * KIB, "state": "dirty",
                             "hammers": n}) for n in ([0, 1, 6] if quick else [0, 1, 2, 6, 8])]


def shift(build, operation, folder, settings):
    command = [os.path.join(build, "tests/bench/bench-shift"), operation,
               os.path.join(folder, "shifted")]
    command += ["%s=%s" % item for item in settings.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(" ".join(command) + ": " + done.stderr)
    return json.loads(done.stdout)


def counters(mount):
    done = subprocess.run(["getfattr", "--only-values", "-n", "user.foldfs.stats", mount],
                          capture_output=True, text=True, check=True)
    stats = json.loads(done.stdout)
    return {"notifications": stats["range_operations"]["notifications"],
            "pages_moved": stats["range_operations"]["pages_moved"],
            "written": stats["cache"].get("write_bytes", 0)}


def is_possible(kind, who, operation):
    if who == "store":
        return kind in ("ext4", "xfs") and operation != "move"
    return who == "foldfs" or operation != "move"


def sample_point(options, kind, who, contender, operation, settings):
    if not is_possible(kind, who, operation):
        return None
    before = counters(contender.path) if who == "foldfs" else {}
    what = "rename" if who == "copy-and-rename" else operation
    folder = contender.path if who == "foldfs" else contender.source
    if who == "foldfs":
        settings = {**settings, "below": os.path.join(contender.source, "shifted")}
    result = shift(options.build, what, folder, settings)
    if not result["done"]:
        return None
    extra = {"longest_ms": result["longest_ns"] / 1e6}
    if who == "foldfs":
        after = counters(contender.path)
        extra.update({key: after[key] - before[key] for key in after})
    return result["ns"] / 1e6, extra


def measure(options, kind, name, title, contender, results):
    samples = options.samples or (3 if options.quick else 5)
    for x, operation, settings in points(name, options.quick):
        # Copying many times what nobody waits for proves nothing.
        those = ["store", "foldfs"] + (["copy-and-rename"]
                                       if settings["bytes"] <= GIB else [])
        taken = {who: [] for who in those}
        for number in range(samples):
            for who in those[number % len(those):] + those[:number % len(those)]:
                sample = sample_point(options, kind, who, contender, operation, settings)
                if sample:
                    taken[who].append(sample)
        for who, sample in taken.items():
            if not sample:
                continue
            extra = {key: statistics.median(one[1][key] for one in sample)
                     for key in sample[0][1]}
            extra["longest_ms_max"] = max(one[1]["longest_ms"] for one in sample)
            results.put({"work": name, "title": title, "unit": "ms", "better": "low",
                         "store": kind, "contender": who, "x": x,
                         "values": [one[0] for one in sample], "extra": extra,
                         "quick": options.quick, "seed": options.seed})
            sys.stderr.write("%-8s %-20s %12d %-16s %10.3f ms, longest wait %8.3f ms\n" % (
                kind, name, x, who, statistics.median(one[0] for one in sample),
                extra["longest_ms"]))


def run(kind, make_store, options, results):
    wanted = [(name, title) for name, title in WORKS
              if not options.only or any(name.startswith(o) for o in options.only)]
    if not wanted:
        return
    folder = tempfile.mkdtemp(prefix="foldfs-bench-", dir="/var/tmp")
    store = make_store(kind, folder)
    contender = contenders.Contender(
        "foldfs", [os.path.join(options.build, "fusefs/foldfs"), "-f", "--cache-size=2G",
                   "{source}", "{mount}"])
    try:
        contender.start(store.path, folder)
        for name, title in wanted:
            measure(options, kind, name, title, contender, results)
            results.save()
    finally:
        contender.stop()
        store.free()
        shutil.rmtree(folder)
