# SPDX-License-Identifier: MIT
"""What is measured. Each work prepares a contender's directory once, and then gives one
sample at a time, so that samples of different contenders can alternate. A sample in µs is
the median of its accesses."""

import json
import os
import shutil
import subprocess
import sqlite3
import sys
import time

MIB = 1 << 20


class Work:
    """A row of the results. `better` is "low" or "high"; `floor`: the floor can do it."""

    def __init__(self, name, title, unit, better, prepare, sample, floor=False):
        self.name, self.title, self.unit, self.better = name, title, unit, better
        self.prepare, self.sample, self.floor = prepare, sample, floor


class Bench:
    """What works need to know of the run."""

    def __init__(self, build, quick):
        self.programs = os.path.join(build, "tests/bench")
        self.quick = quick
        self.bytes = (64 if quick else 256) * MIB
        self.files = 2000 if quick else 20000
        self.tree_files = 1000 if quick else 10000

    def client(self, work, path, **settings):
        arguments = ["%s=%s" % item for item in settings.items()]
        done = subprocess.run([os.path.join(self.programs, "bench-client"), work, path]
                              + arguments, check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    def lmdb(self, *arguments):
        done = subprocess.run([os.path.join(self.programs, "bench-lmdb")]
                              + [str(argument) for argument in arguments],
                              check=True, capture_output=True, text=True)
        return json.loads(done.stdout) if done.stdout else {}


def percentiles(result):
    return {key: result[key] for key in
            ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns") if key in result}


# ------------------------------------------------------------------------- one big file

def make_data(bench, contender):
    path = os.path.join(contender.path, "data")
    if contender.name.startswith("floor"):
        return path
    if not os.path.exists(path) or os.path.getsize(path) != bench.bytes:
        with open("/dev/urandom", "rb") as random, open(path, "wb") as out:
            for _ in range(bench.bytes // MIB):
                out.write(random.read(MIB))
            out.flush()
            os.fsync(out.fileno())
    # Into whatever cache it has.
    bench.client("read", path, chunk=MIB, bytes=bench.bytes)
    return path


def data_work(name, title, unit, better, work, floor=True, **settings):
    """One call of bench-client on the big file."""
    def prepare(bench, contender):
        make_data(bench, contender)

    def sample(bench, contender, seed):
        arguments = dict(settings)
        arguments.setdefault("bytes", bench.bytes)
        if bench.quick and arguments.get("count"):
            arguments["count"] = max(arguments["count"] // 4, 64)
        result = bench.client(work, os.path.join(contender.path, "data"), seed=seed,
                              **arguments)
        if unit == "µs":
            return result["p50_ns"] / 1000, percentiles(result)
        return result["bytes"] / result["ns"] * 1e9 / MIB, percentiles(result)

    return Work(name, title, unit, better, prepare, sample, floor)


def data_works():
    works = [
        data_work("load-warm", "mapped read of every byte, cached by the kernel", "MiB/s",
                  "high", "load", order="random", warm=1),
        data_work("touch", "first touch of random pages through mmap", "µs", "low", "touch",
                  order="random", advice="random", cold=1, count=20000),
        data_work("touch-around", "the same with the kernel's read-around", "µs", "low",
                  "touch", order="random", cold=1, count=1000),
        data_work("touch-large", "first touch, the daemon's cache an eighth of the file",
                  "µs", "low", "touch", floor=False, order="random", advice="random",
                  cold=1, count=20000),
        data_work("load-cold", "sequential mapped read, not in the kernel", "MiB/s", "high",
                  "load", order="sequential", cold=1),
        data_work("load-large",
                  "sequential mapped read, the daemon's cache an eighth of the file",
                  "MiB/s", "high", "load", floor=False, order="sequential", cold=1),
        data_work("store-sequential", "stores through mmap, then msync", "MiB/s", "high",
                  "store", order="sequential", bytes=32 * MIB),
        data_work("store-random", "stores to random pages, then msync", "MiB/s", "high",
                  "store", order="random", bytes=64 * MIB, count=4096),
    ]
    for chunk, label in ((4096, "4 KiB"), (MIB, "1 MiB")):
        for order in ("sequential", "random"):
            works.append(data_work(
                "read-%s-%s-warm" % (label.replace(" ", ""), order),
                "read(2), %s, %s, cached by the kernel" % (label, order), "MiB/s", "high",
                "read", chunk=chunk, order=order, warm=1, bytes=64 * MIB))
            for threads in (1, 8):
                tail = "%s, %d thread%s" % (order, threads, "s" if threads > 1 else "")
                counts = {"count": 16384 // threads} if chunk == 4096 else {}
                works.append(data_work(
                    "read-%s-%s-%d" % (label.replace(" ", ""), order, threads),
                    "read(2), %s, %s" % (label, tail), "MiB/s", "high", "read",
                    chunk=chunk, order=order, threads=threads, cold=1, **counts))
                works.append(data_work(
                    "write-%s-%s-%d" % (label.replace(" ", ""), order, threads),
                    "write(2), %s, %s" % (label, tail), "MiB/s", "high", "write",
                    chunk=chunk, order=order, threads=threads, **counts))
    works.append(data_work("log", "4 KiB writes, each with fdatasync", "µs", "low", "log",
                           order="sequential", count=1000))
    return works


# -------------------------------------------------------------------------- many files

def small_work(name, title, work):
    def prepare(bench, contender):
        path = os.path.join(contender.path, "small")
        if not os.path.exists(path):
            os.mkdir(path)
            bench.client("make", path, count=bench.files)
        bench.client("small", path, count=bench.files)

    def sample(bench, contender, seed):
        result = bench.client(work, os.path.join(contender.path, "small"),
                              count=bench.files, order="random", seed=seed)
        return result["p50_ns"] / 1000, percentiles(result)

    return Work(name, title, "µs", "low", prepare, sample)


def make_tree(bench, contender):
    """A git repository, the same for all."""
    path = os.path.join(contender.path, "tree")
    if os.path.exists(path):
        return path
    os.mkdir(path)
    line = "static int value_%d(int x) { return x * %d + 1; } /* some words */\n"
    for i in range(bench.tree_files):
        folder = os.path.join(path, "d%03d" % (i // 100))
        if i % 100 == 0:
            os.mkdir(folder)
        with open(os.path.join(folder, "f%05d.c" % i), "w", encoding="ascii") as out:
            out.write("".join(line % (i * 100 + k, k) for k in range(40)))
    git(path, "init", "-q")
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "all")
    return path


def git(path, *arguments):
    environment = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null", HOME="/nonexistent",
                       GIT_AUTHOR_NAME="bench", GIT_AUTHOR_EMAIL="bench@localhost",
                       GIT_COMMITTER_NAME="bench", GIT_COMMITTER_EMAIL="bench@localhost")
    subprocess.run(["git", "-c", "gc.auto=0", "-C", path] + list(arguments), check=True,
                   env=environment, stdout=subprocess.DEVNULL)


def timed(action):
    before = time.monotonic()
    action()
    return time.monotonic() - before, {}


def git_work(name, title, *arguments):
    def sample(bench, contender, seed):
        return timed(lambda: git(os.path.join(contender.path, "tree"), *arguments))

    return Work(name, title, "s", "low", make_tree, sample)


def sample_tar_in(bench, contender, seed):
    """The archive lies in the store, beside; what is unpacked goes away untimed."""
    archive = os.path.join(contender.source, os.pardir, "tree.tar")
    if not os.path.exists(archive):
        subprocess.run(["tar", "-C", make_tree(bench, contender), "--exclude=.git", "-cf",
                        archive, "."], check=True)
    path = os.path.join(contender.path, "unpacked")
    os.mkdir(path)
    result = timed(lambda: subprocess.run(["tar", "-C", path, "-xf", archive], check=True))
    shutil.rmtree(path)
    return result


def sample_tar_out(bench, contender, seed):
    # To a pipe: GNU tar does not read files for /dev/null.
    return timed(lambda: subprocess.run(
        "tar -C '%s' --exclude=.git -c . | cat > /dev/null"
        % os.path.join(contender.path, "tree"), shell=True, check=True))


def prepare_build(bench, contender):
    path = os.path.join(contender.path, "build")
    os.makedirs(path, exist_ok=True)
    for i in range(20 if bench.quick else 60):
        with open(os.path.join(path, "f%d.c" % i), "w", encoding="ascii") as out:
            out.write("#include \"common.h\"\nint f%d(int x) { printf(\"%%d\", x); "
                      "return %d; }\n" % (i, i))
    with open(os.path.join(path, "common.h"), "w", encoding="ascii") as out:
        out.write("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n")
    with open(os.path.join(path, "Makefile"), "w", encoding="ascii") as out:
        out.write("all: $(patsubst %.c,%.o,$(wildcard *.c))\n"
                  "%.o: %.c common.h\n\t@cc -c -O0 -o $@ $<\nclean:\n\t@rm -f *.o\n")


def sample_build(bench, contender, seed):
    path = os.path.join(contender.path, "build")
    subprocess.run(["make", "-s", "-C", path, "clean"], check=True)
    return timed(lambda: subprocess.run(
        ["make", "-s", "-C", path, "-j%d" % os.cpu_count()], check=True))


def tree_works():
    return [
        small_work("small", "small files read again: open, read, close, each", "small"),
        small_work("stat", "stat of each of many files", "stat"),
        git_work("git-status", "git status", "status", "--short"),
        git_work("git-grep", "git grep", "grep", "-c", "value_1"),
        Work("tar-in", "unpacking a tree", "s", "low", lambda b, c: None, sample_tar_in),
        Work("tar-out", "packing a tree", "s", "low", make_tree, sample_tar_out),
        Work("build", "make -j", "s", "low", prepare_build, sample_build),
    ]


# ---------------------------------------------------------------------------- databases

def sample_sqlite(bench, contender, seed):
    path = os.path.join(contender.path, "wal-%d.db" % seed)
    count = 500 if bench.quick else 2000
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB)")
    value = b"x" * 200
    before = time.monotonic()
    for i in range(count):
        database.execute("INSERT INTO t VALUES (?, ?)", (i, value))
    spent = time.monotonic() - before
    database.close()
    os.unlink(path)
    return count / spent, {}


def prepare_lmdb(bench, contender):
    path = os.path.join(contender.path, "lmdb")
    if not os.path.exists(path):
        os.mkdir(path)
        bench.lmdb("fill", path, 200000 if bench.quick else 500000)


def sample_lmdb(bench, contender, seed):
    path = os.path.join(contender.path, "lmdb")
    keys = 200000 if bench.quick else 500000
    result = bench.lmdb("read", path, keys, keys)
    return result["count"] / result["ns"] * 1e9, {}


def database_works():
    return [
        Work("sqlite", "sqlite, WAL: transactions of one row", "per s", "high",
             lambda b, c: None, sample_sqlite),
        Work("lmdb", "LMDB: random reads through its mapping", "per s", "high",
             prepare_lmdb, sample_lmdb),
    ]


# --------------------------------------------------------------------- what it takes

def daemon_work(name, title, unit, run):
    return Work(name, title, unit, "low", make_data, run, floor=True)


def sample_cpu(work, **settings):
    """CPU seconds of daemon and client, for each GiB that was served."""
    def sample(bench, contender, seed):
        before = contender.cpu_seconds() if contender.process else 0
        total = client = 0
        for i in range(4):
            result = bench.client(work, os.path.join(contender.path, "data"), cold=1,
                                  seed=seed * 4 + i, **settings)
            total += result["bytes"]
            client += (result["user_us"] + result["system_us"]) / 1e6
        daemon = contender.cpu_seconds() - before if contender.process else 0
        gib = total / (1 << 30)
        return (daemon + client) / gib, {"daemon": daemon / gib, "client": client / gib}
    return sample


def all_works():
    return data_works() + tree_works() + database_works() + [
        daemon_work("cpu-sequential", "CPU time of sequential read(2), client and daemon",
                    "s per GiB", sample_cpu("read", chunk=MIB)),
        daemon_work("cpu-random", "CPU time of random 4 KiB read(2), client and daemon",
                    "s per GiB", sample_cpu("read", order="random", count=16384)),
    ]


if __name__ == "__main__":
    for each in all_works():
        sys.stdout.write("%-28s %s\n" % (each.name, each.title))
