# SPDX-License-Identifier: MIT
"""What foldfs takes: memory for each cached byte, instructions for each request."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import contenders
import works

MIB = 1 << 20

WORKS = [
    ("memory", "bytes of the daemon's memory for each cached byte"),
    ("growth", "the daemon's memory after many operations of all kinds, over before"),
    ("instructions", "user instructions of the daemon for each request (callgrind)"),
]


def put(results, options, name, case, unit, value, extra):
    title = dict(WORKS)[name]
    results.put({"work": name, "title": title, "unit": unit, "better": "low",
                 "store": "tmpfs", "contender": case, "values": [value], "extra": extra,
                 "quick": options.quick, "seed": options.seed})
    sys.stderr.write("tmpfs    %-28s %-24s %12.3f %s\n" % (name, case, value, unit))


def start_foldfs(options, store, folder, *arguments, prefix=()):
    one = contenders.Contender(
        "foldfs", list(prefix) + [os.path.join(options.build, "fusefs/foldfs"), "-f"]
        + list(arguments) + ["{source}", "{mount}"])
    one.start(store.path, folder)
    return one


def memory(options, store, folder, results):
    """Before anything is cached, and when a file that fits is."""
    size = (128 if options.quick else 1024) * MIB
    bench = works.Bench(options.build, options.quick)
    one = start_foldfs(options, store, folder, "--cache-size=%d" % (size * 9 // 8))
    path = os.path.join(one.path, "data")
    with open(os.path.join(one.source, "data"), "wb") as out:
        for _ in range(size // MIB):
            out.write(os.urandom(MIB))
    empty = one.memory_bytes()
    bench.client("read", path, chunk=MIB, bytes=size)
    full = one.memory_bytes()
    put(results, options, "memory", "foldfs", "bytes per byte", full / size,
        {"empty_mib": empty / MIB, "full_mib": full / MIB, "cached_mib": size / MIB})
    one.stop()


def one_round(bench, path, number):
    bench.client("make", os.path.join(path, "many%d" % number), count=500)
    bench.client("small", os.path.join(path, "many%d" % number), count=500)
    shutil.rmtree(os.path.join(path, "many%d" % number))
    for operation in ("collapse", "insert"):
        subprocess.run([os.path.join(bench.programs, "bench-shift"), operation,
                        os.path.join(path, "shifted"), "bytes=%d" % (8 * MIB),
                        "state=dirty"], check=True, capture_output=True)
    bench.client("write", os.path.join(path, "data"), bytes=16 * MIB, order="random",
                 seed=number)
    bench.client("touch", os.path.join(path, "data"), bytes=16 * MIB, order="random",
                 seed=number, cold=1)


def growth(options, store, folder, results):
    """A day's worth of whatever can be left behind: inodes, mappings, descriptors."""
    bench = works.Bench(options.build, options.quick)
    rounds = 20 if options.quick else 150
    one = start_foldfs(options, store, folder, "--cache-size=64M")
    with open(os.path.join(one.source, "data"), "wb") as out:
        out.write(os.urandom(16 * MIB))
    for i in range(rounds + 5):
        os.mkdir(os.path.join(one.path, "many%d" % i))
        one_round(bench, one.path, i)
        if i == 4:
            before = one.memory_bytes()
    after = one.memory_bytes()
    fds = len(os.listdir("/proc/%d/fd" % one.process.pid))
    put(results, options, "growth", "foldfs", "ratio", after / before,
        {"before_mib": before / MIB, "after_mib": after / MIB, "rounds": rounds,
         "files_made": rounds * 501, "descriptors": fds})
    one.stop()


def instructions_of(options, store, folder, case, count, arguments):
    out = os.path.join(folder, "callgrind.out")
    one = start_foldfs(options, store, folder, "--cache-size=64M", prefix=(
        "valgrind", "-q", "--tool=callgrind", "--toggle-collect=fuse_session_process_buf",
        "--callgrind-out-file=" + out))
    bench = works.Bench(options.build, options.quick)
    path = os.path.join(one.path, "small" if case == "open-read-close" else "data")
    bench.client("small" if case == "open-read-close" else case, path, count=count,
                 **arguments)
    one.stop()
    total = 0
    for name in glob.glob(out + "*"):
        with open(name, encoding="utf-8", errors="replace") as dump:
            total += sum(int(n) for n in re.findall(r"^(?:summary|totals): (\d+)",
                                                    dump.read(), re.M)[:1])
        os.unlink(name)
    return total


def instructions(options, store, folder, results):
    """Only within libfuse's function that handles a request, so that looking for the next
    one does not count. The difference between many and few: start and end cancel."""
    source = os.path.join(store.path, "foldfs")
    os.makedirs(source, exist_ok=True)
    with open(os.path.join(source, "data"), "wb") as out:
        out.write(os.urandom(16 * MIB))
    bench = works.Bench(options.build, options.quick)
    os.mkdir(os.path.join(source, "small"))
    bench.client("make", os.path.join(source, "small"), count=1000)
    few, many = (200, 1000)
    common = {"order": "random", "bytes": 16 * MIB}
    for case, arguments in (("touch", dict(common, advice="random", cold=1)),
                            ("write", common), ("open-read-close", {})):
        counts = [instructions_of(options, store, folder, case, count, arguments)
                  for count in (few, many)]
        put(results, options, "instructions", case, "per request",
            (counts[1] - counts[0]) / (many - few), {"few": counts[0], "many": counts[1]})


def run(make_store, options, results):
    wanted = [name for name, _ in WORKS
              if not options.only or any(name.startswith(o) for o in options.only)]
    for name in wanted:
        folder = tempfile.mkdtemp(prefix="foldfs-bench-", dir="/var/tmp")
        store = make_store("tmpfs", folder)
        try:
            {"memory": memory, "growth": growth, "instructions": instructions}[name](
                options, store, folder, results)
        finally:
            time.sleep(0.2)
            store.free()
            shutil.rmtree(folder)
