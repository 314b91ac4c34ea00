#!/usr/bin/env python3
"""InfoNCE, or a softmax over class weights, in PyTorch beside nearfar's operator: time and memory.

usage: pytorch_rival.py LIBRARY [--n N ...] [--d D ...] [--threads T ...] [--types float32 bfloat16]
                        [--kernels inner_product cosine] [--classes C] [--seconds S] [--check]
LIBRARY is libnearfar_torch_ops.so, built with the torch of this Python; `scripts/bench --rival` builds
and passes it. Prints tables in Markdown, of calls forward and backward in one process. --check is a few
small sizes, for a test. With --classes the keys are the weights of C classes, and a row's target is its
class; rows and weights are normalised.

  dense      cross_entropy(q @ k.t() / tau, targets); logits of bfloat16 become float, as in autocast
  linear     torch.nn.functional.linear_cross_entropy with the options that it chooses itself
  quarter    the same in float with a quarter of the rows in each chunk ("aspect_ratio:4"): less memory
  compact    the same in bfloat16 with its other policy: sums in bfloat16
  nearfar    torch.ops.nearfar.info_nce, or normalized_softmax with --classes
  nearfar 16 the same with products in bfloat16, where the processor has them

Rows that are normalised are so inside of the measured call. Times are the best of alternating rounds.
Each result is compared with the dense loss of the same rows in double, and another one ends the run.
"""
import argparse
import functools
import itertools
import os
import pathlib
import platform
import re
import sys
import time

import torch
from torch.nn import functional

# Of the value, and of elements of the gradients by their largest: what the type of the logits allows.
BOUNDS = {"float32": 1e-3, "bfloat16": 0.1}


def scored(rows, kernel):
    return functional.normalize(rows, dim=1) if kernel == "cosine" else rows


def dense(q, k, targets, tau, kernel):
    logits = scored(q, kernel) @ scored(k, kernel).t() / tau
    logits = logits.float() if logits.dtype == torch.bfloat16 else logits
    return functional.cross_entropy(logits, targets)


def linear(q, k, targets, tau, kernel, **options):
    return functional.linear_cross_entropy(scored(q, kernel) / tau, scored(k, kernel), targets,
                                           options=torch.nn.LinearCrossEntropyOptions(**options))


def nearfar(q, k, targets, tau, kernel, products="scalar"):
    return torch.ops.nearfar.info_nce(q, k, tau, kernel=kernel, products=products)


def nearfar_classes(q, k, targets, tau, kernel):
    return torch.ops.nearfar.normalized_softmax(q, targets, k, tau)


def peers(dtype, classes):
    """Names and losses of all that can be called here."""
    out = {"nearfar": nearfar_classes if classes else nearfar}
    if not classes and dtype == "bfloat16" and torch.ops.nearfar.has_bfloat16_products():
        out["nearfar 16"] = functools.partial(nearfar, products="bfloat16")
    out["dense"] = dense
    if has_linear():
        out["linear"] = linear
        if dtype == "bfloat16":
            out["compact"] = functools.partial(linear, acc_policy="compact")
        else:
            out["quarter"] = functools.partial(linear, chunking_method="aspect_ratio:4")
    return out


def has_linear():
    return hasattr(functional, "linear_cross_entropy") and hasattr(torch.nn, "LinearCrossEntropyOptions")


def problem(n, d, kernel, dtype, classes):
    """Rows and a temperature for which the logit of a positive is about 8, others about 2 from 0."""
    generator = torch.Generator().manual_seed(n + d)
    q = torch.randn(n, d, generator=generator)
    if classes:
        k = torch.randn(classes, d, generator=generator)
        targets = torch.randint(classes, (n,), generator=generator)
        q += 4 / d**0.5 * k[targets]
    else:
        k = torch.randn(n, d, generator=generator) + 4 / d**0.5 * q
        targets = torch.arange(n)
    tau = d**0.5 / 2 if kernel == "inner_product" else 0.5 / d**0.5
    dtype = getattr(torch, dtype)
    return q.to(dtype).requires_grad_(), k.to(dtype).requires_grad_(), targets, tau


def call(loss, q, k, targets, tau, kernel):
    q.grad = k.grad = None
    value = loss(q, k, targets, tau, kernel)
    value.backward()
    return value.detach()


# ---- checks --------------------------------------------------------------------------------------


def errors(loss, inputs, kernel, reference):
    """Relative errors of the value and of the largest of the gradients."""
    q, k = inputs[:2]
    value = call(loss, *inputs, kernel)
    found = (q.grad.double(), k.grad.double())
    of_gradients = max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(found, reference[1]))
    return abs(value.item() - reference[0]) / abs(reference[0]), of_gradients


def reference_of(inputs, kernel):
    q, k = (rows.detach().double().requires_grad_() for rows in inputs[:2])
    return call(dense, q, k, *inputs[2:], kernel).item(), (q.grad, k.grad)


# ---- time ----------------------------------------------------------------------------------------


def seconds_of(run, times):
    started = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - started) / times


def best_times(runs, seconds):
    """The best round of each, in rounds that alternate: three, and more for `seconds` each."""
    calls = {name: max(1, int(0.02 / seconds_of(run, 1))) for name, run in runs.items()}
    best, spent = dict.fromkeys(runs, float("inf")), 0.0
    for done in itertools.count():
        if done >= 3 and spent >= seconds * len(runs):
            return best
        for name, run in runs.items():
            took = seconds_of(run, calls[name])
            spent += took * calls[name]
            best[name] = min(best[name], took)


# ---- memory --------------------------------------------------------------------------------------


def resident(which):
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(rf"^{which}:\s*(\d+) kB", status, re.MULTILINE)[1]) * 1024


def extra_memory(loss, n, d, kernel, dtype, threads, classes):
    """Bytes that a call in a process of its own takes at its peak beside the inputs.

    ru_maxrss starts at what the parent has, so that the kernel is asked to forget the peak before the
    call. A small call comes first: what libraries load and keep once does not count. Forked from a
    process that has not started threads, so that torch is imported once.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            torch.set_num_threads(threads)
            call(loss, *problem(64, d, kernel, dtype, classes and 64), kernel)
            inputs = problem(n, d, kernel, dtype, classes)
            before = resident("VmRSS")
            pathlib.Path("/proc/self/clear_refs").write_text("5")
            call(loss, *inputs, kernel)
            os.write(writer, str(max(0, resident("VmHWM") - before)).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("pytorch_rival: a process that measures memory failed")
    return int(text)


# ---- tables --------------------------------------------------------------------------------------


def row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def machine():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    blas = set(re.findall(r"\S*/((?:[^/\s]*openblas[^/\s]*/)?lib[^/\s]*(?:blas|mkl_rt)[^/\s]*)$",
                          pathlib.Path("/proc/self/maps").read_text(), re.MULTILINE))
    return (f"{model[1] if model else platform.machine()}, {os.cpu_count()} processors; "
            f"torch {torch.__version__} with {', '.join(sorted(blas)) or 'a BLAS of its own'}")


def table(shapes, times, memory):
    """Times and memory, a line for each shape."""
    names = list(next(iter(times.values())))
    rivals = [name for name in names if not name.startswith("nearfar")]
    print(row(["threads", "D", "N", *(f"{name}, ms" for name in names), "best rival over nearfar",
               *(f"{name}, MB" for name in names)]))
    print("|" + "--:|" * (4 + 2 * len(names)))
    for shape in shapes:
        ms = [f"{1e3 * times[shape][name]:.3f}" for name in names]
        ratio = min(times[shape][name] for name in rivals) / times[shape]["nearfar"]
        print(row([*shape, *ms, f"{ratio:.2f}", *(f"{memory[shape][name] / 1e6:.1f}" for name in names)]))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("--n", type=int, nargs="+", default=[64, 256, 1024, 4096, 8192])
    parser.add_argument("--d", type=int, nargs="+", default=[128, 512, 1024])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--types", nargs="+", default=list(BOUNDS), choices=BOUNDS)
    parser.add_argument("--kernels", nargs="+", default=["inner_product", "cosine"],
                        choices=["inner_product", "cosine"])
    parser.add_argument("--classes", type=int, default=0, metavar="C")
    parser.add_argument("--seconds", type=float, default=0.5, help="least time of each peer and shape")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if args.check:
        args.n, args.d, args.threads, args.seconds = [40, 300], [24, 128], [1], 0
    if args.classes:
        args.kernels = ["cosine"]
    torch.ops.load_library(args.library)
    shapes = list(itertools.product(args.threads, args.d, args.n))
    variants = list(itertools.product(args.kernels, args.types))

    # Before this process has threads.
    memory = {variant: {shape: {name: extra_memory(loss, shape[2], shape[1], *variant, shape[0],
                                                   args.classes)
                                for name, loss in peers(variant[1], args.classes).items()}
                        for shape in shapes} for variant in variants}

    print(machine())
    if not has_linear():
        print(f"\ntorch {torch.__version__} has no linear_cross_entropy: its columns are left out.")
    worst, failed = {}, False
    for variant in variants:
        kernel, dtype = variant
        times = {}
        for threads, d, n in shapes:
            torch.set_num_threads(threads)
            inputs = problem(n, d, kernel, dtype, args.classes)
            reference = reference_of(inputs, kernel)
            for name, loss in peers(dtype, args.classes).items():
                found = errors(loss, inputs, kernel, reference)
                worst[name, dtype] = tuple(map(max, found, worst.get((name, dtype), found)))
                if not max(found) <= BOUNDS[dtype]:
                    print(f"pytorch_rival: {name} differs: {variant}, N {n}, D {d}: {found}",
                          file=sys.stderr)
                    failed = True
            if failed:
                return 1
            runs = {name: functools.partial(call, loss, *inputs, kernel)
                    for name, loss in peers(dtype, args.classes).items()}
            times[threads, d, n] = best_times(runs, args.seconds)
        print(f"pytorch_rival: {kernel}, {dtype} measured", file=sys.stderr)
        over = f"Softmax over {args.classes} classes" if args.classes else "InfoNCE"
        print(f"\n{over}, {kernel}, {dtype}:\n")
        table(shapes, times, memory[variant])
    print("\nLargest errors, of values and of gradients by their largest element, against double:\n")
    print(row(["peer", "type", "value", "gradients"]) + "\n|---|---|--:|--:|")
    for (name, dtype), found in worst.items():
        print(row([name, dtype, *(f"{error:.0e}" for error in found)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
