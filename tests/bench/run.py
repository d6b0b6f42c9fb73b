# SPDX-License-Identifier: MIT
"""foldfs beside what people would take instead; contrib/bench calls this.

Every sample of a work is taken from each contender in turn, in an order that rotates, so
that whatever else the machine does meets all of them alike. Results go to results.json in
the folder given, where those of earlier runs with other works stay; report.py makes the
table and the plots from it.
"""

import argparse
import atexit
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import contenders
import ranges
import report
import takes
import works


def parse():
    parser = argparse.ArgumentParser(prog="contrib/bench", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true",
                        help="smaller files and fewer samples: some minutes in all")
    parser.add_argument("--only", action="append", metavar="NAME", default=[],
                        help="only works whose names begin so; may be given again")
    parser.add_argument("--stores", default="tmpfs", metavar="LIST",
                        help="of tmpfs, ext4, xfs, btrfs (default: tmpfs); all need root")
    parser.add_argument("--contenders", metavar="LIST", help="only these")
    parser.add_argument("--samples", type=int, help="of each (default: 7, quick: 3)")
    parser.add_argument("--pause", type=float, default=0, metavar="SECONDS",
                        help="leave all alone so long before each round: with 1.1, what is "
                        "kept for a second has timed out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="bench-results", metavar="FOLDER")
    parser.add_argument("--list", action="store_true", help="name the works, and end")
    parser.add_argument("--report", action="store_true", help="only write the report anew")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


# ------------------------------------------------------------------------------ stores

class Store:
    """A fresh file system, mounted in a directory of its own."""

    SIZE = 12 << 30

    def __init__(self, kind, folder):
        self.kind, self.path = kind, os.path.join(folder, "store-" + kind)
        os.makedirs(self.path)
        if kind == "tmpfs":
            command = ["mount", "-t", "tmpfs", "-o", "size=80%", "none", self.path]
        else:
            image = os.path.join(folder, kind + ".img")
            with open(image, "wb") as out:
                out.truncate(self.SIZE)
            make = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"],
                    "btrfs": ["mkfs.btrfs", "-q", "-f"]}[kind]
            subprocess.run(make + [image], check=True)
            command = ["mount", "-o", "loop", image, self.path]
        subprocess.run(command, check=True)

    def free(self):
        subprocess.run(["umount", self.path], check=True)


# ------------------------------------------------------------------------------ machine

def output_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "?"
    return (done.stdout + done.stderr).strip().split("\n")[0]


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        models = [line.split(":")[1].strip() for line in info if "model name" in line]
    with open("/proc/meminfo", encoding="ascii") as info:
        memory = int(info.readline().split()[1]) >> 20
    packages = output_of("dpkg-query", "-W", "-f", "${Package} ${Version}, ", "libfuse3-3",
                         "bindfs", "mergerfs", "gcc")
    return {"processors": "%d x %s" % (os.cpu_count(), models[0] if models else "?"),
            "memory": "%d GiB" % memory, "kernel": " ".join(os.uname()[i] for i in (0, 2)),
            "versions": packages.rstrip(", "),
            "foldfs": output_of("git", "-C", os.path.dirname(__file__), "describe",
                                "--always", "--dirty"),
            "thp": open("/sys/kernel/mm/transparent_hugepage/enabled",
                        encoding="ascii").read().strip()}


# What all pipes of one user may have together, pages. Each contender would have that for
# itself if it were alone, as it will be where it is used; here they have one user.
PIPE_PAGES = "/proc/sys/fs/pipe-user-pages-soft"


def give_each_its_pipes():
    def write(value):
        with open(PIPE_PAGES, "w", encoding="ascii") as setting:
            setting.write(value)

    with open(PIPE_PAGES, encoding="ascii") as setting:
        before = setting.read()
    try:
        write("0")
        atexit.register(write, before)
    except OSError as error:
        sys.stderr.write("%s: %s; those who splice may come off badly\n" % (
            PIPE_PAGES, error.strerror))


# ------------------------------------------------------------------------------ measure

def is_wanted(name, prefixes):
    return not prefixes or any(name.startswith(prefix) for prefix in prefixes)


def takes_part(contender, work):
    if contender.name.startswith("floor"):
        return work.floor
    return not contender.pieces or is_wanted(work.name, contender.pieces)


class Runners:
    """Who takes part in a work. A peer that cannot do it is left out, which is a result."""

    def __init__(self, those, work, store, results):
        self.those, self.work, self.store, self.results = list(those), work, store, results

    def attempt(self, contender, action):
        """What action() says; or None, and it is out."""
        try:
            return action()
        except (OSError, subprocess.CalledProcessError) as error:
            if not contender.is_peer():
                raise
            said = (getattr(error, "stderr", None) or str(error)).strip().split("\n")[-1]
            sys.stderr.write("%-8s %-28s %-24s failed: %s\n" % (
                self.store, self.work.name, contender.name, said))
            self.results.failed(self.work.name, self.store, contender.name, said)
            self.those.remove(contender)
            contender.restart()  # for the works that follow
            return None


def measure(bench, work, runners, samples, options):
    """All samples of one work: {contender: [value, ...]}, {contender: [extra, ...]}."""
    taken = {c.name: [] for c in runners.those}
    for contender in list(runners.those):
        runners.attempt(contender, lambda c=contender: work.prepare(bench, c))
    for number in range(samples):
        turn = number % len(runners.those)
        time.sleep(options.pause)
        for contender in runners.those[turn:] + runners.those[:turn]:
            one = runners.attempt(contender, lambda c=contender: work.sample(
                bench, c, options.seed + number))
            if one:
                taken[contender.name].append(one)
    return {c.name: taken[c.name] for c in runners.those}


def row(work, store, name, values, extras, options):
    merged = {key: statistics.median(extra[key] for extra in extras) for key in extras[0]}
    return {"work": work.name, "title": work.title, "unit": work.unit,
            "better": work.better, "store": store, "contender": name,
            "values": [float("%.5g" % value) for value in values], "extra": merged, "quick": options.quick, "seed": options.seed}


def run_store(kind, chosen, options, results):
    """All works of the general kind on one store."""
    folder = tempfile.mkdtemp(prefix="foldfs-bench-", dir="/var/tmp")
    store, started = Store(kind, folder), []
    bench = works.Bench(options.build, options.quick)
    samples = options.samples or (3 if options.quick else 7)
    try:
        for contender in contenders.all_contenders(options.build):
            if options.contenders and contender.name not in options.contenders.split(","):
                continue
            if contender.pieces and not any(is_wanted(work.name, contender.pieces)
                                            for work in chosen):
                continue
            contender.start(store.path, folder)
            started.append(contender)
        for work in chosen:
            runners = Runners([c for c in started if takes_part(c, work)], work, kind,
                              results)
            for name, sample in measure(bench, work, runners, samples, options).items():
                values, extras = zip(*sample)
                results.put(row(work, kind, name, values, extras, options))
                sys.stderr.write("%-8s %-28s %-24s %12.3f %s\n" % (
                    kind, work.name, name, statistics.median(values), work.unit))
            results.save()  # what follows may be broken off
    finally:
        for contender in started:
            contender.stop()
        store.free()
        shutil.rmtree(folder)


def arguments_of_interest():
    """Those of the command line that say what was measured, not where things lie."""
    kept, skip = [], False
    for argument in sys.argv[1:]:
        if not skip and argument not in ("--build", "--out"):
            kept.append(argument)
        skip = not skip and argument in ("--build", "--out")
    return kept


class Results:
    """results.json; a new row takes the place of an older one of the same thing."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "results.json")
        os.makedirs(folder, exist_ok=True)
        self.data = {"rows": [], "runs": []}
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as stored:
                self.data = json.load(stored)

    def put(self, new):
        def key(any_row):
            return tuple(any_row.get(name) for name in ("work", "store", "contender", "x"))

        self.data["rows"] = [old for old in self.data["rows"] if key(old) != key(new)]
        self.data["rows"].append(new)

    def failed(self, work, store, contender, said):
        one = {"work": work, "store": store, "contender": contender, "said": said}
        if one not in self.data.setdefault("failures", []):
            self.data["failures"].append(one)

    def begin(self, options):
        self.data["machine"] = machine()
        self.data["runs"].append({
            "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "command": " ".join(["contrib/bench"] + arguments_of_interest()),
            "load": os.getloadavg()[0], "seed": options.seed})

    def save(self):
        with open(self.path, "w", encoding="utf-8") as out:
            json.dump(self.data, out, indent=1, ensure_ascii=False, sort_keys=True)
            out.write("\n")


def check_names(prefixes):
    """A name that is not there would measure nothing, and say nothing."""
    names = [work.name for work in works.all_works()]
    names += [name for name, _ in ranges.WORKS + takes.WORKS]
    for prefix in prefixes:
        if not any(name.startswith(prefix) for name in names):
            sys.exit("contrib/bench: no work is called %s. There are: %s" % (
                prefix, ", ".join(names)))


def main():
    options = parse()
    chosen = [work for work in works.all_works() if is_wanted(work.name, options.only)]
    check_names(options.only)
    if options.list:
        for work in works.all_works():
            print("%-30s %s" % (work.name, work.title))
        for name, title in ranges.WORKS + takes.WORKS:
            print("%-30s %s" % (name, title))
        return 0
    results = Results(options.out)
    if not options.report:
        if os.geteuid() != 0:
            sys.exit("contrib/bench: mounting stores needs root")
        results.begin(options)
        give_each_its_pipes()
        for kind in options.stores.split(","):
            if chosen:
                run_store(kind, chosen, options, results)
            ranges.run(kind, Store, options, results)
            results.save()
        takes.run(Store, options, results)
        results.save()
    report.write(results.data, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
