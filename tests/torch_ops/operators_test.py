"""The losses as operators of torch.ops: usage: operators_test.py LIBRARY [unittest's arguments]

Values and gradients against the same losses in torch's own operations, gradients of every operator
against differences, and what autograd, autocast and torch.compile ask of operators.
"""
import math
import sys
import unittest

import torch
from torch.nn import functional

torch.ops.load_library(sys.argv.pop(1))
nearfar = torch.ops.nearfar

N, D, CLASSES = 6, 4, 3
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


def rows(n, d=D, seed=0, dtype=torch.double):
    generator = torch.Generator().manual_seed(1000 + seed)
    return torch.randn(n, d, generator=generator, dtype=torch.double).to(dtype)


def leaf(*arguments, **named):
    return rows(*arguments, **named).requires_grad_(True)


# ---- every operator ----------------------------------------------------------------------------

# Tensors that have no gradient, and integers.
CONSTANTS = {
    "labels": lambda name: LABELS,
    "same": lambda name: torch.tensor([1, 0, 1, 1, 0, 1]),
    "positive_pairs": lambda name: torch.tensor([[0, 3], [1, 4]]),
    "negative_pairs": lambda name: torch.tensor([[0, 1], [2, 4], [5, 3]]),
    "triplets": lambda name: torch.tensor([[0, 3, 1], [1, 4, 2], [2, 5, 0]]),
    "query_offsets": lambda name: torch.tensor([0, 2, 4, 6]),
    "document_offsets": lambda name: torch.tensor([0, 1, 4, 6]),
    "log_noise_keys": lambda name: rows(1, N, 21).flatten() - 3,
    "log_noise_negatives": lambda name: rows(1, N, 22).flatten() - 3,
    "scores": lambda name: rows(1, N, 23).flatten(),
    "slices": lambda name: rows(3, D, 24),
    "target1": lambda name: rows(N, D, 25),
    "target2": lambda name: rows(N, D, 26),
    "teacher_margins": lambda name: rows(N, 2, 27),
    "teacher_scores": lambda name: rows(N, 2, 28),
}


def learnt(number):
    return torch.tensor(number, dtype=torch.double, requires_grad=True)


LEARNT = {
    "temperature": 0.4, "logit_scale": 5.0, "logit_bias": -1.0, "scale": 4.0, "beta": 1.1, "log_z": 0.3,
    "lambda_": 8.0, "gamma": 0.2}


def argument(operator, name):
    """A tensor for an argument that must be given."""
    if name in LEARNT:
        return learnt(LEARNT[name])
    if operator == "info_nce_at" and name == "positives":
        return torch.tensor([2, 0, 1, 5, 3, 4])
    if name in CONSTANTS:
        return CONSTANTS[name](name)
    if operator == "cpc":
        return (leaf(2, 3 * D, 31).detach().view(2, 3, D) if name != "weights" else
                rows(2, D * D, 32).view(2, D, D)).requires_grad_(True)
    if operator in ("margin_mse", "distill_kl") and name in ("negatives", "candidates"):
        return rows(2 * N, D, 33).view(N, 2, D).requires_grad_(True)
    if name == "proxies":
        centers = {"sub_center_arc_face": 3, "soft_triple": 10}.get(operator, 1)
        return leaf(CLASSES * centers, D, 34)
    return leaf(N, D, sum(map(ord, name)))


def schemas():
    """Those of all losses."""
    out = [s for s in torch._C._jit_get_all_schemas()
           if s.name.startswith("nearfar::") and not s.name.startswith("nearfar::_")
           and str(s.returns[0].type) == "Tensor"]
    return sorted(out, key=lambda s: (s.name, s.overload_name))


def call_of(schema):
    """The operator and its arguments."""
    name = schema.name.split("::")[1]
    operator = getattr(getattr(nearfar, name), schema.overload_name or "default")
    return operator, [argument(name, a.name) for a in schema.arguments if not a.has_default_value()]


def has_reduction(schema):
    return any(a.name == "reduction" for a in schema.arguments)


def with_none(schema, operator, arguments):
    """The value a row, or nothing where the loss has none."""
    if not has_reduction(schema):
        return None
    try:
        return operator(*arguments, reduction="none")
    except (RuntimeError, ValueError) as error:
        if "reduction" in str(error):
            return None
        raise


class Every(unittest.TestCase):
    def test_there_is_one_for_each_function(self):
        names = {s.name for s in schemas()}
        self.assertGreaterEqual(len(names), 64)

    def test_names_of_arguments_differ(self):
        for schema in schemas():
            names = [a.name for a in schema.arguments]
            self.assertEqual(len(names), len(set(names)), schema.name)

    def test_gradients_are_those_of_differences(self):
        for schema in schemas():
            if schema.name == "nearfar::dclw":
                continue  # its weights count as constants
            operator, arguments = call_of(schema)
            # By default their weights count as constants, too.
            more = {"nearfar::circle": {"weights": "differentiated"},
                    "nearfar::ranked_list": {"t_n": 0}}.get(schema.name, {})
            with self.subTest(str(schema.name), overload=schema.overload_name):
                self.assertTrue(torch.autograd.gradcheck(lambda *a: operator(*a, **more), arguments))
                if with_none(schema, operator, arguments) is not None:
                    self.assertTrue(torch.autograd.gradcheck(
                        lambda *a: operator(*a, reduction="none", **more), arguments))

    def test_meta_tensors_have_the_shape_and_type_of_the_value(self):
        for schema in schemas():
            operator, arguments = call_of(schema)
            on_meta = [a.detach().to("meta") for a in arguments]
            with self.subTest(str(schema.name), overload=schema.overload_name):
                value = operator(*arguments)
                self.assertEqual(operator(*on_meta).shape, value.shape)
                self.assertEqual(operator(*on_meta).dtype, value.dtype)
                value = with_none(schema, operator, arguments)
                if value is not None:
                    self.assertEqual(operator(*on_meta, reduction="none").shape, value.shape)

    def test_rows_of_16_bits_give_the_bits_of_rows_in_float(self):
        """Gradients are multiplied in float and rounded once."""
        for schema in schemas():
            operator, arguments = call_of(schema)
            learnt = [a.is_floating_point() and a.dim() == 0 for a in arguments]
            for dtype in (torch.half, torch.bfloat16):
                def copies(of_rows):
                    return [a if not a.is_floating_point() else
                            a.detach().to(torch.float if number else dtype)
                            .to(torch.float if number else of_rows).requires_grad_(a.requires_grad)
                            for a, number in zip(arguments, learnt)]
                narrow, wide = copies(dtype), copies(torch.float)
                for reduction in ("mean", "none"):
                    with self.subTest(str(schema.name), overload=schema.overload_name, dtype=dtype,
                                      reduction=reduction):
                        if reduction == "none":
                            values = [with_none(schema, operator, x) for x in (narrow, wide)]
                            if values[0] is None:
                                continue
                        else:
                            values = [operator(*x) for x in (narrow, wide)]
                        self.assertEqual(values[0].dtype, torch.float)
                        self.assertTrue(values[0].equal(values[1]))
                        upstream = torch.linspace(0.3, 1.7, values[0].numel()).view_as(values[0])
                        gradients = [torch.autograd.grad(v, [x for x in its if x.requires_grad], upstream)
                                     for v, its in zip(values, (narrow, wide))]
                        for got, expected in zip(*gradients):
                            self.assertTrue(got.equal(expected.to(got.dtype)))

    @unittest.skipUnless(hasattr(torch.library, "opcheck"), "of newer versions")
    def test_what_torch_asks_of_an_operator(self):
        for schema in schemas():
            operator, arguments = call_of(schema)
            with self.subTest(str(schema.name), overload=schema.overload_name):
                torch.library.opcheck(operator, tuple(arguments))
                if with_none(schema, operator, arguments) is not None:
                    torch.library.opcheck(operator, tuple(arguments), {"reduction": "none"})


# ---- beside torch's own operations -------------------------------------------------------------


def cosine(x, y):
    return functional.normalize(x, dim=1) @ functional.normalize(y, dim=1).t()


def info_nce(q, k, tau):
    return functional.cross_entropy(cosine(q, k) / tau, torch.arange(len(q)))


def nt_xent(a, b, tau):
    z = torch.cat([a, b])
    logits = (cosine(z, z) / tau).masked_fill(torch.eye(len(z), dtype=torch.bool), -math.inf)
    return functional.cross_entropy(logits, torch.arange(len(z)).roll(len(a)))


def clip(a, b, scale):
    logits = scale * cosine(a, b)
    own = torch.arange(len(a))
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.t(), own)) / 2


def sig_lip(a, b, scale, bias):
    logits = scale * cosine(a, b) + bias
    return -functional.logsigmoid((2 * torch.eye(len(a)) - 1) * logits).sum() / len(a)


def pairs_of(labels):
    same = labels[:, None] == labels[None, :]
    return same & ~torch.eye(len(labels), dtype=torch.bool), ~same


def sup_con(x, labels, tau):
    positive, _ = pairs_of(labels)
    logits = cosine(x, x) / tau
    others = logits.masked_fill(torch.eye(len(x), dtype=torch.bool), -math.inf)
    log_p = logits - others.logsumexp(1, keepdim=True)
    return -((log_p * positive).sum(1) / positive.sum(1)).mean()


def batch_hard(x, labels, margin):
    positive, negative = pairs_of(labels)
    distance = (x[:, None] - x[None, :]).pow(2).sum(2).add(1e-300).sqrt()
    far = distance.masked_fill(~positive, -math.inf).amax(1)
    near = distance.masked_fill(~negative, math.inf).amin(1)
    return functional.relu(far - near + margin).mean()


def multi_similarity(x, labels, alpha, beta, base):
    positive, negative = pairs_of(labels)
    s = cosine(x, x)
    of_positives = torch.log1p((torch.exp(-alpha * (s - base)) * positive).sum(1)) / alpha
    of_negatives = torch.log1p((torch.exp(beta * (s - base)) * negative).sum(1)) / beta
    return (of_positives + of_negatives).mean()


def cos_face(x, labels, weight, scale, margin):
    logits = cosine(x, weight) - margin * functional.one_hot(labels, len(weight)).to(x.dtype)
    return functional.cross_entropy(scale * logits, labels)


def triplet(a, p, n, margin):
    return functional.triplet_margin_loss(a, p, n, margin=margin, eps=0)


class BesideAutograd(unittest.TestCase):
    """ours(tensors...) and theirs(tensors...), values and gradients."""

    def compare(self, ours, theirs, *shapes):
        for dtype, tolerance in ((torch.float, 2e-5), (torch.double, 1e-10)):
            mine = [leaf(*shape, seed=k, dtype=dtype) for k, shape in enumerate(shapes)]
            others = [x.detach().double().requires_grad_(True) for x in mine]
            value = ours(*mine)
            expected = theirs(*others)
            self.assertEqual(value.dtype, dtype)
            self.assertLess(abs(value.item() - expected.item()), tolerance * max(1, abs(expected.item())))
            (-1.75 * value).backward()
            (-1.75 * expected).backward()
            for x, y in zip(mine, others):
                self.assertEqual(x.grad.dtype, dtype)
                scale = max(1.0, y.grad.abs().max().item())
                self.assertLess((x.grad - y.grad).abs().max().item(), tolerance * scale)

    def test_pairs(self):
        pair = ((N, D), (N, D))
        self.compare(lambda a, b: nearfar.info_nce(a, b, 0.07), lambda a, b: info_nce(a, b, 0.07), *pair)
        self.compare(lambda a, b: nearfar.nt_xent(a, b, 0.3), lambda a, b: nt_xent(a, b, 0.3), *pair)
        self.compare(lambda a, b: nearfar.clip(a, b, 7.0), lambda a, b: clip(a, b, 7.0), *pair)
        self.compare(lambda a, b: nearfar.sig_lip(a, b, 7.0, logit_bias=-2.0),
                     lambda a, b: sig_lip(a, b, 7.0, -2.0), *pair)

    def test_triplets(self):
        self.compare(lambda a, p, n: nearfar.triplet(a, p, n, 0.7), lambda a, p, n: triplet(a, p, n, 0.7),
                     (N, D), (N, D), (N, D))

    def test_labels(self):
        self.compare(lambda x: nearfar.sup_con(x, LABELS, 0.2), lambda x: sup_con(x, LABELS, 0.2), (N, D))
        self.compare(lambda x: nearfar.mined_triplet(x, LABELS, 0.4, mining="batch_hard"),
                     lambda x: batch_hard(x, LABELS, 0.4), (N, D))
        self.compare(lambda x: nearfar.multi_similarity(x, LABELS, 2, beta=10, base=0.4),
                     lambda x: multi_similarity(x, LABELS, 2, 10, 0.4), (N, D))
        self.compare(lambda x, w: nearfar.cos_face(x, LABELS, w, 8, margin=0.3),
                     lambda x, w: cos_face(x, LABELS, w, 8, 0.3), (N, D), (CLASSES, D))

    def test_learnt_numbers(self):
        self.compare(lambda a, b, tau: nearfar.info_nce(a, b, tau.exp()),
                     lambda a, b, tau: info_nce(a, b, tau.exp()), (N, D), (N, D), (1, 1))
        self.compare(lambda a, b, t, c: nearfar.sig_lip(a, b, t.exp(), c),
                     lambda a, b, t, c: sig_lip(a, b, t.exp(), c), (N, D), (N, D), (1, 1), (1, 1))

    def test_references(self):
        x, y = rows(N), rows(N, seed=1)
        value = nearfar.sup_con(x, LABELS, 0.2, references=y, reference_labels=LABELS)
        same = (LABELS[:, None] == LABELS[None, :]).double()
        log_p = functional.log_softmax(cosine(x, y) / 0.2, 1)
        self.assertAlmostEqual(value.item(), -((log_p * same).sum(1) / same.sum(1)).mean().item(), 12)

    def test_kernels(self):
        def of_distance(x):
            return functional.cross_entropy(-(x[:, None] - y[None, :]).pow(2).sum(2) / 0.5, torch.arange(N))
        y = rows(N, seed=3)
        self.compare(lambda x: nearfar.info_nce(x, y.to(x.dtype), 0.5, kernel="squared_euclidean"),
                     of_distance, (N, D))


# ---- what autograd and autocast ask -------------------------------------------------------------


class Promises(unittest.TestCase):
    def test_a_gradient_that_is_not_required_is_not_there(self):
        x, y = leaf(N), rows(N, seed=1)
        nearfar.info_nce(x, y, 0.1).backward()
        self.assertIsNotNone(x.grad)
        self.assertIsNone(y.grad)
        with torch.no_grad():
            self.assertFalse(nearfar.info_nce(x, y, 0.1).requires_grad)
        with torch.inference_mode():
            nearfar.info_nce(x, y, 0.1)

    def test_gradients_cannot_be_differentiated_again(self):
        x = leaf(N)
        gradient, = torch.autograd.grad(nearfar.sup_con(x, LABELS), x, create_graph=True)
        with self.assertRaisesRegex(RuntimeError, "differentiated once"):
            gradient.sum().backward()

    def test_errors(self):
        with self.assertRaisesRegex((ValueError, RuntimeError), "temperature: wanted"):
            nearfar.info_nce(rows(N), rows(N), 0.0)
        with self.assertRaisesRegex((ValueError, RuntimeError), "reduction: wanted one of mean"):
            nearfar.info_nce(rows(N), rows(N), 0.1, reduction="maximum")
        with self.assertRaisesRegex((ValueError, RuntimeError), "kernel: wanted one of cosine"):
            nearfar.info_nce(rows(N), rows(N), 0.1, kernel="gaussian")
        with self.assertRaisesRegex((ValueError, RuntimeError), "finite"):
            nearfar.info_nce(rows(N) / 0, rows(N), 0.1)
        with self.assertRaisesRegex(RuntimeError, "labels: wanted int64"):
            nearfar.sup_con(rows(N), rows(N)[:, 0])

    def test_16_bit_numbers_compute_in_float(self):
        for dtype in (torch.half, torch.bfloat16):
            x = rows(N, dtype=dtype).requires_grad_(True)
            y = rows(N, seed=1, dtype=dtype)
            wide = x.detach().float().requires_grad_(True)
            value = nearfar.info_nce(x, y, 0.2)
            expected = nearfar.info_nce(wide, y.float(), 0.2)
            self.assertEqual(value.dtype, torch.float)
            self.assertTrue(value.equal(expected))
            (3 * value).backward()
            (3 * expected).backward()
            self.assertTrue(x.grad.equal(wide.grad.to(dtype)))

    def test_products_in_bfloat16(self):
        def loss(x, y, **more):
            value = nearfar.info_nce(x, y, 0.1, reduction="none", **more)
            gradient, = torch.autograd.grad(value.sum(), x)
            return value, gradient
        x = rows(40, 33, dtype=torch.bfloat16).requires_grad_(True)
        y = rows(40, 33, seed=1, dtype=torch.bfloat16)
        with self.assertRaisesRegex((ValueError, RuntimeError), "products: wanted one of scalar, bfloat16"):
            nearfar.info_nce(x, y, 0.1, products="half")
        with self.assertRaisesRegex((ValueError, RuntimeError), "products: wanted Products::scalar"):
            nearfar.info_nce(x.float(), y.float(), 0.1, products="bfloat16")
        with self.assertRaisesRegex((ValueError, RuntimeError), "products: wanted Products::scalar"):
            nearfar.alignment(x, y, products="bfloat16")
        if not nearfar.has_bfloat16_products():
            return
        value, gradient = loss(x, y, products="bfloat16")
        scalar_value, scalar_gradient = loss(x, y)
        self.assertFalse(value.equal(scalar_value))
        self.assertLess((value - scalar_value).abs().max().item(), 1e-4)
        error = (gradient.float() - scalar_gradient.float()).norm() / scalar_gradient.float().norm()
        self.assertLess(error.item(), 0.02)

    def test_autocast(self):
        layer = torch.nn.Linear(D, D)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            x = layer(rows(N, dtype=torch.float))
            self.assertEqual(x.dtype, torch.bfloat16)
            value = nearfar.normalized_softmax(x, LABELS, rows(CLASSES, seed=2, dtype=torch.float))
        self.assertEqual(value.dtype, torch.float)
        value.backward()
        self.assertGreater(layer.weight.grad.abs().max().item(), 0)

    def test_ragged_negatives(self):
        q, k, negatives = leaf(2), rows(2, seed=1), rows(3, seed=2)
        value = nearfar.info_nce_against(q, k, negatives, 0.3, offsets=torch.tensor([0, 1, 3]),
                                         reduction="sum")
        alone = [nearfar.info_nce_against(q[i:i + 1], k[i:i + 1], negatives[a:b], 0.3)
                 for i, a, b in ((0, 0, 1), (1, 1, 3))]
        self.assertAlmostEqual(value.item(), sum(alone).item(), 12)

    def test_shared_and_own_negatives(self):
        q, k = leaf(2), leaf(2, seed=1)
        hard = leaf(4, seed=2)
        own = hard.view(2, 2, -1)
        ids = torch.arange(2)
        value = nearfar.info_nce_against(q, k, k, 0.3, ids=ids, query_ids=ids, own_negatives=own)
        value.backward()
        gradients = [q.grad, k.grad, hard.grad]
        q, k, hard = (x.detach().requires_grad_() for x in (q, k, hard))
        unit = [torch.nn.functional.normalize(x, dim=-1) for x in (q, k, hard.view(2, 2, -1))]
        scores = torch.cat([unit[0] @ unit[1].t(), (unit[0].unsqueeze(1) * unit[2]).sum(2)], 1)
        expected = torch.nn.functional.cross_entropy(scores / 0.3, ids)
        expected.backward()
        self.assertAlmostEqual(value.item(), expected.item(), 12)
        for got, x in zip(gradients, (q, k, hard)):
            self.assertLess((got - x.grad).abs().max().item(), 1e-12)
        with self.assertRaisesRegex(ValueError, "own_ids: wanted none without own_negatives"):
            nearfar.info_nce_against(q, k, k, 0.3, own_ids=ids, query_ids=ids)

    @unittest.skipUnless(hasattr(torch, "compile"), "of newer versions")
    def test_compiled_steps(self):
        def step(x, y, tau):
            return nearfar.info_nce(2 * x, y.tanh(), tau.exp()) + nearfar.sup_con(x, LABELS).square()
        compiled = torch.compile(step, backend="aot_eager", fullgraph=True)
        inputs = [leaf(N), leaf(N, seed=1), torch.tensor(-1.0, dtype=torch.double, requires_grad=True)]
        value = step(*inputs)
        gradients = torch.autograd.grad(value, inputs)
        again = compiled(*inputs)
        self.assertEqual(value.item(), again.item())
        for a, b in zip(gradients, torch.autograd.grad(again, inputs)):
            self.assertLess((a - b).abs().max().item(), 1e-14)


if __name__ == "__main__":
    unittest.main()
