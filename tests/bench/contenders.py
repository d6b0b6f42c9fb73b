# SPDX-License-Identifier: MIT
"""Who is measured: the store itself, the floor, other people's file systems, foldfs.

Each contender has a directory of its own in the store, so none sees what another one's
cache does not know of, and all are mounted at the same time, so that samples can alternate.
"""

import os
import subprocess
import time

FLOOR_BYTES = 256 << 20


class Contender:
    """One way to reach a directory of the store."""

    def __init__(self, name, command=None, label=None, pieces=()):
        self.name = name
        self.label = label or name
        self.command = command  # a list with {source} and {mount}, or None: no mount
        self.pieces = pieces    # what else it is good for: names of works, or () for all
        self.source = self.path = None
        self.process = None
        self.started_with = None

    def is_peer(self):
        return self.name.split("-")[0] in ("passthrough_ll", "bindfs", "mergerfs")

    def start(self, store, mounts):
        self.started_with = (store, mounts)
        self.source = os.path.join(store, self.name)
        os.makedirs(self.source, exist_ok=True)
        if not self.command:
            self.path = self.source
            return
        self.path = os.path.join(mounts, self.name)
        os.makedirs(self.path, exist_ok=True)
        command = [part.format(source=self.source, mount=self.path, bytes=FLOOR_BYTES)
                   for part in self.command]
        # All of them in the foreground, so that each is one process that can be measured.
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        for _ in range(200):
            if os.path.ismount(self.path):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError("%s did not mount: %s" % (
            self.name, self.process.stderr.read().decode() if self.process.poll() is not None
            else "no mount after 4 s"))

    def stop(self):
        if not self.process:
            return
        subprocess.run(["fusermount3", "-u", self.path], check=False)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def restart(self):
        self.stop()
        self.start(*self.started_with)

    def cpu_seconds(self):
        """What the daemon has used so far, all threads."""
        with open("/proc/%d/stat" % self.process.pid, encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self):
        """What the daemon alone has in memory."""
        with open("/proc/%d/smaps_rollup" % self.process.pid, encoding="ascii") as rollup:
            for line in rollup:
                if line.startswith("Pss_Anon:"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError("no Pss_Anon")


def build_passthrough(build):
    """libfuse's own example, whose source Debian's libfuse3-dev has. Never kept."""
    source = "/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c"
    if os.path.exists(source + ".gz"):
        unpacked = os.path.join(build, "passthrough_ll.c")
        with open(unpacked, "wb") as out:
            subprocess.run(["gzip", "-dc", source + ".gz"], stdout=out, check=True)
        source = unpacked
    program = os.path.join(build, "bench-passthrough_ll")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], check=True,
                           capture_output=True, text=True).stdout.split()
    subprocess.run(["cc", "-O2", "-D_FILE_OFFSET_BITS=64", "-w",
                    "-I/usr/share/doc/libfuse3-dev/examples", source, "-o", program] + flags,
                   check=True)
    return program


def all_contenders(build):
    foldfs = os.path.join(build, "fusefs/foldfs")
    passthrough = build_passthrough(build)
    ever = "86400"
    return [
        Contender("store"),
        Contender("floor", [os.path.join(build, "tests/bench/bench-floor"),
                            "{mount}", "{bytes}", "50"],
                  label="floor, looks for requests as foldfs does"),
        Contender("floor-sleeps", [os.path.join(build, "tests/bench/bench-floor"),
                                   "{mount}", "{bytes}", "0"],
                  label="floor, sleeps at once"),
        Contender("foldfs", [foldfs, "-f", "--cache-size=1G", "{source}", "{mount}"]),
        Contender("foldfs-32M", [foldfs, "-f", "--cache-size=32M", "{source}", "{mount}"],
                  label="foldfs, cache of 32 MiB", pieces=("touch-large", "load-large")),
        Contender("foldfs-writeback",
                  [foldfs, "-f", "--cache-size=1G", "--writeback", "{source}", "{mount}"],
                  label="foldfs --writeback (less durable)",
                  pieces=("write", "store", "log", "sqlite", "tar-in")),
        Contender("foldfs-watch",
                  [foldfs, "-f", "--cache-size=1G", "--watch", "{source}", "{mount}"],
                  label="foldfs --watch",
                  pieces=("small", "stat", "git", "tar", "build")),
        Contender("foldfs-no-open",
                  [foldfs, "-f", "--cache-size=1G", "--watch", "--no-open", "{source}",
                   "{mount}"], label="foldfs --watch --no-open",
                  pieces=("small", "stat", "git", "tar", "build")),
        Contender("passthrough_ll",
                  [passthrough, "-f", "-o", "source={source},cache=always,timeout=" + ever,
                   "{mount}"], label="passthrough_ll, cache=always"),
        Contender("passthrough_ll-default",
                  [passthrough, "-f", "-o", "source={source}", "{mount}"],
                  label="passthrough_ll as it comes"),
        Contender("bindfs",
                  ["bindfs", "-f", "--multithreaded", "-o",
                   "kernel_cache,entry_timeout=%s,attr_timeout=%s" % (ever, ever),
                   "{source}", "{mount}"], label="bindfs, everything cached"),
        Contender("bindfs-default", ["bindfs", "-f", "{source}", "{mount}"],
                  label="bindfs as it comes"),
        Contender("mergerfs",
                  ["mergerfs", "-f", "-o",
                   "cache.files=full,cache.entry=%s,cache.attr=%s,cache.readdir=true"
                   % (ever, ever), "{source}", "{mount}"],
                  label="mergerfs, everything cached"),
        Contender("mergerfs-default", ["mergerfs", "-f", "{source}", "{mount}"],
                  label="mergerfs as it comes"),
    ]
