#!/usr/bin/env python3
"""Trains an encoder of images on their classes by nearfar's SupCon, as an operator of torch.

usage: torch_ops.py LIBRARY [--loss torch] [--steps N] [--check]
LIBRARY is libnearfar_torch_ops.so. --loss torch trains with the same loss in torch's own operations.
--check trains a few steps with both, from the same start: their losses must agree.
Images are Fashion-MNIST of Debian's dataset-fashion-mnist.
"""
import argparse
import gzip
import pathlib
import sys

import torch
from torch import nn
from torch.nn import functional

IMAGES = pathlib.Path("/usr/share/datasets/fashion-mnist")
TEMPERATURE = 0.1
BATCH = 512


def bytes_of(name, header):
    with gzip.open(IMAGES / f"{name}-ubyte.gz") as file:
        return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)


def images_of(part):
    images = bytes_of(f"{part}-images-idx3", 16).view(-1, 28 * 28)
    return images.float() / 255, bytes_of(f"{part}-labels-idx1", 8).long()


def of_nearfar(x, labels):
    return torch.ops.nearfar.sup_con(x, labels, TEMPERATURE)


def of_torch(x, labels):
    """The same loss with a matrix of all scores. Every class is in a batch of this size twice."""
    z = functional.normalize(x, dim=1)
    itself = torch.eye(len(x), dtype=torch.bool)
    positive = (labels[:, None] == labels[None, :]) & ~itself
    logits = (z @ z.t() / TEMPERATURE).masked_fill(itself, float("-inf"))
    log_p = functional.log_softmax(logits, 1).masked_fill(itself, 0)
    return -((log_p * positive).sum(1) / positive.sum(1)).mean()


@torch.no_grad()
def accuracy(encode, known, asked, count=4000):
    """Of the class of the nearest known image, by cosine."""
    keys = functional.normalize(encode(known[0][:count]), dim=1)
    queries = functional.normalize(encode(asked[0][:count]), dim=1)
    nearest = (queries @ keys.t()).argmax(1)
    return (known[1][:count][nearest] == asked[1][:count]).float().mean().item()


def train(loss, data, steps):
    """The encoder and the losses of its steps."""
    torch.manual_seed(1)
    encoder = nn.Sequential(nn.Linear(28 * 28, 256), nn.ReLU(), nn.Linear(256, 64))
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
    losses = []
    for _ in range(steps):
        rows = torch.randint(len(data[0]), (BATCH,))
        value = loss(encoder(data[0][rows]), data[1][rows])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return encoder, losses


def check(data, held_out):
    ours, losses = train(of_nearfar, data, 40)
    _, expected = train(of_torch, data, 40)
    apart = max(abs(a - b) for a, b in zip(losses, expected))
    before = accuracy(lambda x: x, data, held_out)
    after = accuracy(ours, data, held_out)
    print(f"losses {losses[0]:.4f} to {losses[-1]:.4f}, at most {apart:.1e} from torch's; "
          f"accuracy {after:.4f}, of pixels {before:.4f}")
    return apart < 1e-4 and losses[-1] < losses[0] - 0.5 and after > before


def report(encoder, data, held_out):
    print(f"accuracy of the nearest image: {accuracy(encoder, data, held_out):.4f}, "
          f"of pixels {accuracy(lambda x: x, data, held_out):.4f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("--loss", choices=("nearfar", "torch"), default="nearfar")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    torch.ops.load_library(options.library)
    if not IMAGES.exists():
        print("install dataset-fashion-mnist")
        return 77
    data, held_out = images_of("train"), images_of("t10k")
    if options.check:
        return 0 if check(data, held_out) else 1
    encoder, losses = train(of_nearfar if options.loss == "nearfar" else of_torch, data, options.steps)
    print(f"loss {losses[0]:.4f} to {losses[-1]:.4f}")
    report(encoder, data, held_out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
