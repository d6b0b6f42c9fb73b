# SPDX-License-Identifier: MIT
"""results.json as a table for people (results.md) and as plots (*.svg)."""

import os
import statistics

import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

STORES = ["tmpfs", "ext4", "xfs", "btrfs"]
ORDER = ["store", "floor", "floor-sleeps", "foldfs", "foldfs-32M", "foldfs-writeback",
         "foldfs-watch", "foldfs-no-open",
         "passthrough_ll", "passthrough_ll-default", "bindfs", "bindfs-default", "mergerfs",
         "mergerfs-default", "copy-and-rename"]
PEERS = ["passthrough_ll", "passthrough_ll-default", "bindfs", "bindfs-default", "mergerfs",
         "mergerfs-default"]
COLOURS = {"foldfs": "#c0392b", "foldfs-32M": "#e67e22", "foldfs-writeback": "#e67e22",
           "store": "#7f8c8d", "floor": "#2c3e50", "floor-sleeps": "#5d6d7e",
           "copy-and-rename": "#2980b9"}


def rank(name):
    return ORDER.index(name) if name in ORDER else len(ORDER)


def number(value):
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return "{:,.0f}".format(value)
    return "%.3g" % value


def cell(row):
    middle = statistics.median(row["values"])
    if len(row["values"]) < 3:
        return number(middle)
    return "%s (%s to %s)" % (number(middle), number(min(row["values"])),
                              number(max(row["values"])))


def bytes_in_words(count):
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return "%g %s" % (count / size, unit)
    return "%g" % count


def head(data):
    machine = data["machine"]
    lines = ["# Results of contrib/bench", "",
             "Medians, with the least and the greatest sample. *low*: less is better.", "",
             "| | |", "|---|---|"]
    lines += ["| %s | %s |" % (key, machine[key]) for key in sorted(machine)]
    lines += ["", "| command | seed | load before | at |", "|---|---|---|---|"]
    lines += ["| `%s` | %d | %.1f | %s |" % (run["command"], run["seed"], run["load"],
                                          run["at"]) for run in data["runs"]]
    failures = data.get("failures", [])
    lines += [""] if failures else []
    lines += ["- `%s` on %s: %s could not do it: %s" % (
        one["work"], one["store"], one["contender"], one["said"]) for one in failures]
    return lines + [""]


def ratio(rows, mine, other):
    """How many times better mine is, by the medians; None if one is not there."""
    if mine not in rows or other not in rows:
        return None
    a = statistics.median(rows[mine]["values"])
    b = statistics.median(rows[other]["values"])
    if a == 0 or b == 0:
        return None
    return a / b if rows[mine]["better"] == "high" else b / a


def best_peer(rows):
    there = [name for name in PEERS if name in rows]
    if not there:
        return None
    pick = max if rows[there[0]]["better"] == "high" else min
    return pick(there, key=lambda name: statistics.median(rows[name]["values"]))


def against(rows):
    """foldfs in words, beside the best peer, the floor and the store."""
    mine = "foldfs" if "foldfs" in rows else "foldfs-32M"
    parts = []
    peer = best_peer(rows)
    for label, other in (("best peer (%s)" % peer, peer), ("floor", "floor"),
                         ("store", "store")):
        times = ratio(rows, mine, other) if other else None
        if times is not None:
            parts.append("%.2f times %s" % (times, label))
    return ", ".join(parts)


def median_of(rows, who):
    return number(statistics.median(rows[who]["values"])) if who in rows else "–"


def summary(data):
    """One line for each work: what BENCHMARKS.md shows."""
    lines = ["## In short", "",
             "| work | store | unit | the store | floor | foldfs | best peer | foldfs is |",
             "|---|---|---|---|---|---|---|---|"]
    for store in STORES:
        names = []
        for row in data["rows"]:
            if "x" not in row and row["store"] == store and row["work"] not in names:
                names.append(row["work"])
        for name in names:
            rows = {row["contender"]: row for row in data["rows"]
                    if row["store"] == store and row["work"] == name}
            peer = best_peer(rows)
            if not peer or "foldfs" not in rows:
                continue
            first = rows["foldfs"]
            lines.append("| %s (`%s`) | %s | %s | %s | %s | %s | %s, %s | %.2f times it |" % (
                first["title"], name, store, first["unit"] + ("" if first["better"] == "high"
                                                               else ", low"),
                median_of(rows, "store"), median_of(rows, "floor"),
                median_of(rows, "foldfs"), median_of(rows, peer), peer,
                ratio(rows, "foldfs", peer)))
    return lines + [""]


def tables(data):
    lines = []
    plain = [row for row in data["rows"] if "x" not in row]
    for store in STORES:
        names = []
        for row in plain:
            if row["store"] == store and row["work"] not in names:
                names.append(row["work"])
        if not names:
            continue
        lines += ["## Store: %s" % store, ""]
        for name in names:
            rows = {row["contender"]: row for row in plain
                    if row["store"] == store and row["work"] == name}
            first = next(iter(rows.values()))
            lines += ["**%s** (`%s`), %s, %s%s" % (
                first["title"], name, first["unit"], first["better"],
                ", quick form" if first["quick"] else ""), ""]
            lines += ["| who | %s | 99 %% | 99.9 %% |" % first["unit"], "|---|---|---|---|"]
            for who in sorted(rows, key=rank):
                extra = rows[who]["extra"]
                lines.append("| %s | %s | %s | %s |" % (
                    who, cell(rows[who]),
                    "%.1f µs" % (extra["p99_ns"] / 1000) if "p99_ns" in extra else "",
                    "%.1f µs" % (extra["p999_ns"] / 1000) if "p999_ns" in extra else ""))
            words = against(rows)
            lines += ["", "foldfs: %s." % words, ""] if words else [""]
    return lines


def range_tables(data):
    lines = []
    rows = [row for row in data["rows"] if "x" in row]
    for store in STORES:
        for work in sorted({row["work"] for row in rows if row["store"] == store}):
            those = [r for r in rows if r["store"] == store and r["work"] == work]
            lines += ["**%s**, %s (`%s`), ms" % (those[0]["title"], store, work), "",
                      "| at | who | call, ms | longest wait, ms | bytes moved in the cache |"
                      " notifications |", "|---|---|---|---|---|---|"]
            for row in sorted(those, key=lambda r: (r["x"], rank(r["contender"]))):
                extra = row["extra"]
                lines.append("| %s | %s | %s | %s | %s | %s |" % (
                    bytes_in_words(row["x"]), row["contender"], cell(row),
                    number(extra["longest_ms"]) if extra["longest_ms"] else "",
                    bytes_in_words(extra["pages_moved"] * 4096)
                    if "pages_moved" in extra else "",
                    number(extra["notifications"]) if "notifications" in extra else ""))
            lines.append("")
    return ["## Range operations", ""] + lines if lines else []


# ------------------------------------------------------------------------------- plots

def save(figure, folder, name):
    figure.savefig(os.path.join(folder, name + ".svg"), bbox_inches="tight",
                   metadata={"Date": None})
    plt.close(figure)


def plot_bars(data, store, folder, name, title, works):
    """How many times better than the best of the peers, or worse: a bar each."""
    shown = []
    for work in works:
        rows = {row["contender"]: row for row in data["rows"]
                if row["store"] == store and row["work"] == work}
        if "foldfs" in rows and best_peer(rows):
            shown.append((work, rows))
    if not shown:
        return
    figure, axes = plt.subplots(figsize=(8, 0.42 * len(shown) + 1.2))
    for place, (work, rows) in enumerate(reversed(shown)):
        peer = best_peer(rows)
        times = ratio(rows, "foldfs", peer)
        axes.barh(place, times, color=COLOURS["foldfs"] if times >= 1 else "#e6b0aa")
        floor = ratio(rows, "floor", peer)
        if floor:
            axes.plot([floor, floor], [place - 0.4, place + 0.4], color=COLOURS["floor"],
                      linewidth=2)
        axes.text(0.02, place, " %.2f × %s" % (times, peer), va="center", fontsize=7,
                  color="white" if times >= 1 else "black")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.set_yticks(range(len(shown)), [work for work, _ in reversed(shown)], fontsize=8)
    axes.set_xlabel("times the best peer; dark line: the floor")
    axes.set_title(title, fontsize=10)
    save(figure, folder, name)


def plot_growth(data, store, work, folder):
    rows = [row for row in data["rows"] if row["work"] == work and row["store"] == store]
    if not rows:
        return
    waits = work == "range-hammers"
    figure, axes = plt.subplots(1, 2 if waits else 1, figsize=(9 if waits else 6, 3.6))
    panels = axes if waits else [axes]
    for who in sorted({row["contender"] for row in rows}, key=rank):
        those = sorted((r for r in rows if r["contender"] == who), key=lambda r: r["x"])
        xs = [row["x"] for row in those]
        colour = COLOURS.get(who, "#27ae60")
        panels[0].plot(xs, [statistics.median(r["values"]) for r in those], marker="o",
                       label=who, color=colour)
        panels[0].fill_between(xs, [min(r["values"]) for r in those],
                               [max(r["values"]) for r in those], alpha=0.15, color=colour)
        if waits:
            hit = [row for row in those if row["x"] > 0]
            panels[1].plot([r["x"] for r in hit], [r["extra"]["longest_ms"] for r in hit],
                           marker="o", label=who, color=colour)
    for panel, label in zip(panels, ("ms for the call", "longest wait of an access, ms")):
        panel.set_yscale("log")
        panel.set_ylabel(label)
        panel.grid(True, which="major", alpha=0.3)
        panel.legend(fontsize=7)
        if waits:
            panel.set_xlabel("processes")
        else:
            panel.set_xscale("log", base=2)
            ticks = sorted({row["x"] for row in rows})
            panel.set_xticks(ticks, [bytes_in_words(x) for x in ticks], fontsize=7)
    figure.suptitle("%s, %s" % (rows[0]["title"], store), fontsize=9)
    save(figure, folder, "%s-%s" % (work, store))


def plot_latency(data, store, folder):
    rows = {row["contender"]: row for row in data["rows"]
            if row["store"] == store and row["work"] == "touch"}
    if not rows:
        return
    keys = (("p50_ns", "50 %"), ("p90_ns", "90 %"), ("p99_ns", "99 %"), ("p999_ns", "99.9 %"))
    figure, axes = plt.subplots(figsize=(7, 3.8))
    for who in sorted(rows, key=rank):
        if who == "store":
            continue
        axes.plot(range(len(keys)), [rows[who]["extra"][key] / 1000 for key, _ in keys],
                  marker="o", label=who, color=COLOURS.get(who),
                  linewidth=2.5 if who == "foldfs" else 1)
    axes.set_xticks(range(len(keys)), [label for _, label in keys])
    axes.set_yscale("log")
    axes.set_ylabel("µs")
    axes.grid(True, which="both", axis="y", alpha=0.3)
    axes.legend(fontsize=7)
    axes.set_title("first touch of a mapped page, percentiles, %s" % store, fontsize=10)
    save(figure, folder, "touch-%s" % store)


def write(data, folder):
    if not data["rows"]:
        return
    # The same bytes for the same results.
    plt.rcParams["svg.hashsalt"] = "foldfs"
    plt.rcParams["svg.fonttype"] = "none"
    works = []
    for row in data["rows"]:
        if "x" not in row and row["work"] not in works:
            works.append(row["work"])
    for store in STORES:
        plot_bars(data, store, folder, "files-" + store, "one file, store on " + store,
                  [w for w in works if w.startswith(("load", "touch", "store", "read",
                                                     "write", "log"))])
        plot_bars(data, store, folder, "programs-" + store, "many files, databases; " + store,
                  [w for w in works if w in ("small", "stat", "git-status", "git-grep",
                                             "tar-in", "tar-out", "build", "sqlite",
                                             "lmdb")])
        plot_latency(data, store, folder)
        for work in sorted({row["work"] for row in data["rows"] if "x" in row}):
            plot_growth(data, store, work, folder)
    with open(os.path.join(folder, "results.md"), "w", encoding="utf-8") as out:
        out.write("\n".join(head(data) + summary(data) + tables(data)
                            + range_tables(data)) + "\n")
