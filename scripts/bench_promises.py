"""What nearfar promises of its speed and memory, and whether results keep it."""

from bench_results import DENSE, SOFTMAX, shape


class Promise:
    """A number of some results that is to be at least, or at most, a bound. None: nothing to compare."""

    def __init__(self, name, kind, bound, shapes, value, needs_peers=False):
        self.name, self.kind, self.bound, self.shapes = name, kind, bound, shapes
        self.value, self.needs_peers = value, needs_peers

    def holds(self, value):
        return value >= self.bound if self.kind == "at least" else value <= self.bound


# Shares of the multiply-add peak, forward and backward in float: losses, D, then for N one bound a
# number of threads, from one on.
PEAKS = (
    (("info_nce", "clip"), (128, 512),
     {4096: (0.88, 0.86), 1024: (0.85, 0.82), 512: (0.80, 0.72), 128: (0.65,), 32: (0.45,)}),
    (("nt_xent", "sup_con"), (128, 512),
     {4096: (0.84, 0.82), 1024: (0.80, 0.76), 512: (0.74, 0.66), 128: (0.55,), 32: (0.35,)}),
    (("hadsell_contrastive", "multi_similarity"), (128, 512),
     {4096: (0.80, 0.76), 1024: (0.75,), 512: (0.68,)}),
    (("mined_triplet",), (128,), {4096: (0.60, 0.58), 1024: (0.55,)}),
    (("mined_triplet",), (512,), {4096: (0.70,)}),
)
KINDS_OF_TRIPLETS = ("all", "semihard", "batch_hard")

SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
BUSY_SIZES = (128, 512, 1024, 4096)
BUSY_BOUND = 1.15


def largest_with_peers(d):
    """Beyond it their time is minutes."""
    return 8192 if d <= 128 else 4096


def peaks():
    for losses, columns, bounds in PEAKS:
        for loss in losses:
            for mining in KINDS_OF_TRIPLETS if loss == "mined_triplet" else (None,):
                for d in columns:
                    for n, of_threads in bounds.items():
                        for threads, bound in enumerate(of_threads, 1):
                            name = shape(loss, n, d, threads, mining=mining)
                            yield Promise(f"share of the peak: {name}", "at least", bound, [name],
                                          lambda results, name=name: results.at(name).share)


def faster(name, title, bound, peers):
    def value(results):
        best = results.best_peer(name, peers) if peers else results.best_peer(name)
        return best.ms / results.at(name).ms if best else None

    return Promise(f"{title}: {name}", "at least", bound, [name], value, needs_peers=True)


def against_peers():
    for d in (128, 512):
        for n in (n for n in SIZES if n <= largest_with_peers(d)):
            for loss in SOFTMAX:
                name = shape(loss, n, d)
                yield faster(name, "best peer's time over ours", 1.3 if n <= 256 else 1.0, None)
                if n >= 2048 and d == 128:
                    yield faster(name, "best dense peer's time over ours", 2.0, DENSE)
            if n >= 512:
                yield faster(shape("info_nce", n, d, kernel="inner_product"),
                             "chunked form's time over ours", 1.3 if d == 128 else 1.15,
                             ("libtorch_chunked",))
    for n, d in ((512, 128), (4096, 128), (4096, 512)):
        name = shape("info_nce", n, d)
        yield faster(name, "time compiled for this machine over ours", 1 / 1.03, ("native",))


def remainders():
    """Rows and elements that are no multiple of a vector, by the operation."""
    for loss in SOFTMAX:
        odd, padded = shape(loss, 100, 100), shape(loss, 112, 112)
        yield Promise(f"time an operation over that of 112 rows of 112: {odd}", "at most", 1.10,
                      [odd, padded],
                      lambda results, odd=odd, padded=padded:
                          (results.at(odd).ms / 100**3) / (results.at(padded).ms / 112**3))


def memory():
    for threads in (1, 2):
        name = shape("info_nce", 8192, 128, threads)
        yield Promise(f"MB beside rows and gradients: {name}", "at most", 8 + threads, [name],
                      lambda results, name=name: results.at(name).bytes / 1e6)


def all_promises(processors):
    promises = [*peaks(), *against_peers(), *remainders(), *memory()]
    return [p for p in promises if "threads=2," not in p.shapes[0] or processors >= 2]


def shapes_of(promises):
    """What to measure, each shape once, with peers where a promise compares with them."""
    peers = {}
    for promise in promises:
        for name in promise.shapes:
            peers[name] = peers.get(name, False) or promise.needs_peers
    return [name if wanted else name + ",peers=no" for name, wanted in peers.items()]


def report(results, promises):
    """A line for each promise; returns how many are broken."""
    broken = 0
    for promise in promises:
        value = promise.value(results)
        if value is None:
            print(f"absent  {promise.name}: that peer is not here")
            continue
        holds = promise.holds(value)
        broken += not holds
        print(f"{'holds ' if holds else 'BROKEN'}  {promise.name}: {value:.2f}, "
              f"{promise.kind} {promise.bound:.2f}")
    print(f"{broken} of {len(promises)} promises are broken." if broken else "All promises hold.")
    return broken
