"""Shapes as build/.../bench_losses names them, and its results; tables and charts of them."""

import json
import math
import platform
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

SOFTMAX = ("info_nce", "clip", "nt_xent", "sup_con")
PEERS = ("dense_eigen", "kept_eigen", "kept_onednn", "libtorch", "libtorch_chunked")
DENSE = ("dense_eigen", "libtorch")  # a matrix of scores, and whatever follows from it by operators


def shape(loss, n, d, threads=1, scalar="float", **options):
    """The name of a shape; equal shapes have equal names. Options that are None are left out."""
    more = "".join(f",{name}={value}" for name, value in options.items() if value is not None)
    return f"{loss},n={n},d={d},threads={threads},scalar={scalar}{more}"


class Result:
    """One peer and shape, over its repetitions. Noise from elsewhere disturbs the best the least."""

    def __init__(self, peer, name, runs):
        self.peer, self.shape = peer, name
        times = [run["real_time"] for run in runs]  # nanoseconds a call
        self.ms, self.median_ms = min(times) / 1e6, statistics.median(times) / 1e6
        self.share = max(run["peak_share"] for run in runs)
        self.bytes = runs[0]["extra_bytes"]
        self.value = runs[0]["value"]
        self.value_error = runs[0]["value_error"]
        self.gradient_error = runs[0]["gradient_error"]
        self.reference = runs[0].get("label", "")
        loss, *options = name.split(",")
        self.options = dict(option.split("=") for option in options)
        self.loss, self.n, self.d = loss, int(self.options["n"]), int(self.options["d"])
        self.threads, self.scalar = int(self.options["threads"]), self.options["scalar"]

    def fields(self):
        """For JSON, which has no NaN."""
        numbers = {"ms": self.ms, "median_ms": self.median_ms, "peak_share": self.share,
                   "extra_bytes": self.bytes, "value": self.value, "value_error": self.value_error,
                   "gradient_error": self.gradient_error}
        return {"peer": self.peer, "shape": self.shape, "reference": self.reference,
                **{k: v if math.isfinite(v) else None for k, v in numbers.items()}}


class Results:
    """All of a run: at(shape, peer) is None where a peer did not take part."""

    def __init__(self, path):
        report = json.loads(Path(path).read_text())
        self.isa = report["context"]["instruction_set"]
        self.processors = report["context"]["num_cpus"]
        runs = {}
        for run in report["benchmarks"]:
            if run["run_type"] == "iteration":
                peer, name = run["run_name"].split("/")[:2]
                runs.setdefault((peer, name.removesuffix(",peers=no")), []).append(run)
        self.all = {key: Result(*key, group) for key, group in runs.items()}

    def at(self, name, peer="nearfar"):
        return self.all.get((peer, name))

    def best_peer(self, name, peers=PEERS):
        """The fastest, or None."""
        those = [self.at(name, peer) for peer in peers]
        return min((r for r in those if r), key=lambda r: r.ms, default=None)

    def of(self, peer, **wanted):
        """Results of one peer with these attributes, by loss and size."""
        return sorted((r for r in self.all.values() if r.peer == peer
                       and all(getattr(r, k) == v for k, v in wanted.items())),
                      key=lambda r: (r.loss, r.threads, r.d, r.n))


def machine(results):
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*:\s*(.*)", info.read_text())
        model = found[1] if found else model
    return f"{model}, {results.processors} processors, instruction set {results.isa}"


def number(value, digits=2):
    return "" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def error(value):
    return "-" if not math.isfinite(value) else f"{value:.0e}"


def row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def detailed_table(results, peers=("nearfar", "native") + PEERS):
    """Every result of these: time, share of the peak, memory, error."""
    lines = [row(["who", "shape", "ms", "median", "of peak", "extra MB", "gradient error", "against"]),
             "|---|---|--:|--:|--:|--:|--:|---|"]
    those = [r for r in results.all.values() if r.peer in peers]
    for r in sorted(those, key=lambda r: (r.loss, r.threads, r.scalar, r.d, r.n, r.shape,
                                          peers.index(r.peer))):
        lines.append(row([r.peer, r.shape.replace(",", " "), number(r.ms, 3), number(r.median_ms, 3),
                          number(r.share), number(r.bytes / 1e6, 1) if r.bytes else "",
                          error(r.gradient_error), r.reference]))
    return "\n".join(lines) + "\n"


def ratio_table(results):
    """The best peer's time over nearfar's, for each size, one thread, float."""
    sizes = sorted({(r.d, r.n) for r in results.of("nearfar", threads=1, scalar="float")
                    if r.loss in SOFTMAX and results.best_peer(r.shape)})
    lines = [row(["D", "N", *SOFTMAX, "info_nce, inner products"]),
             "|--:|--:|" + "--:|" * (len(SOFTMAX) + 1)]
    for d, n in sizes:
        cells = []
        for loss, kernel in [(loss, None) for loss in SOFTMAX] + [("info_nce", "inner_product")]:
            name = shape(loss, n, d, kernel=kernel)
            ours, best = results.at(name), results.best_peer(name)
            cells.append(f"{best.ms / ours.ms:.2f} {best.peer}" if ours and best else "")
        lines.append(row([d, n, *cells]))
    return "\n".join(lines) + "\n"


def summary(results):
    """What a run comes to."""
    return (f"{machine(results)}.\n\nThe best peer's time over nearfar's, forward and backward, float, "
            f"one thread:\n\n{ratio_table(results)}\nnearfar:\n\n"
            f"{detailed_table(results, ('nearfar',))}")


def page(results):
    return f"{summary(results)}\nPeers:\n\n{detailed_table(results, ('native',) + PEERS)}"


def plot(out, name, title, labels, logs, series):
    """series: {legend: [(x, y)]}. Writes NAME.svg with gnuplot."""
    series = {legend: points for legend, points in series.items() if len(points) > 1}
    if not series:
        return
    data = out / f"{name}.dat"
    blocks = ["\n".join(f"{x} {y}" for x, y in sorted(points)) for points in series.values()]
    data.write_text("\n\n\n".join(blocks) + "\n")
    curves = ", ".join(
        f"'{data}' index {k} with linespoints lw 2 pt 7 ps 0.6 title '{legend}' noenhanced"
        for k, legend in enumerate(series))
    commands = [
        "set terminal svg size 720,480 font 'sans,12' background '#ffffff'",
        f"set output '{out / (name + '.svg')}'",
        f"set title '{title}'", f"set xlabel '{labels[0]}'", f"set ylabel '{labels[1]}'",
        "set grid", "set key outside right top",
        *(f"set logscale {axis} {2 if axis == 'x' else 10}" for axis in logs),
        "set yrange [0:1]" if name == "peak" else "",
        f"plot {curves}",
    ]
    subprocess.run(["gnuplot"], input="\n".join(commands), text=True, check=True)
    data.unlink()


def charts(out, results):
    """peak.svg, time.svg and memory.svg against N, as far as there are results."""
    if not shutil.which("gnuplot"):
        print("scripts/bench: no gnuplot, no charts", file=sys.stderr)
        return

    def points(peer, loss, d, value):
        return [(r.n, value(r)) for r in results.of(peer, loss=loss, d=d, threads=1, scalar="float")
                if r.shape == shape(loss, r.n, d) and value(r) > 0]

    plot(out, "peak", "Share of the multiply-add peak, one thread", ("N", "floor / time / peak"), "x",
         {f"{loss}, D = {d}": points("nearfar", loss, d, lambda r: r.share)
          for loss in SOFTMAX for d in (128, 512)})
    for name, title, unit, value in (
        ("time", "InfoNCE forward and backward, D = 128, one thread", "ms", lambda r: r.ms),
        ("memory", "InfoNCE, memory beside inputs and gradients, D = 128", "MB",
         lambda r: r.bytes / 1e6),
    ):
        plot(out, name, title, ("N", unit), "xy",
             {peer: points(peer, "info_nce", 128, value) for peer in ("nearfar",) + PEERS})
