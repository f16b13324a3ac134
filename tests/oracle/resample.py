"""Prints the references of tests/audio.test.ts: samples at another rate by the formula of torchaudio.functional.resample.

torchaudio 2.8, functional/functional.py: _get_sinc_resample_kernel and _apply_sinc_resample_kernel with their defaults
(sinc_interp_hann, lowpass_filter_width 6, rolloff 0.99), in float64.
"""

import math

import torch


def resample(x, orig, new, width6=6, rolloff=0.99):
    gcd = math.gcd(orig, new)
    orig, new = orig // gcd, new // gcd
    base = min(orig, new) * rolloff
    width = math.ceil(width6 * orig / base)
    idx = torch.arange(-width, width + orig, dtype=torch.float64)[None, None] / orig
    t = torch.arange(0, -new, -1, dtype=torch.float64)[:, None, None] / new + idx
    t = (t * base).clamp_(-width6, width6)
    window = torch.cos(t * math.pi / width6 / 2) ** 2
    t *= math.pi
    kernels = torch.where(t == 0, torch.ones_like(t), t.sin() / t) * window * base / orig
    padded = torch.nn.functional.pad(x, (width, width + orig))
    y = torch.nn.functional.conv1d(padded[None, None], kernels, stride=orig).transpose(1, 2).reshape(-1)
    return y[: math.ceil(new * len(x) / orig)]


t = torch.arange(24, dtype=torch.float64)
x = torch.sin(t * t * 0.1).float().double()
for orig, new in [(24000, 16000), (44100, 16000), (8000, 16000)]:
    values = ", ".join(f"{value:.7f}" for value in resample(x, orig, new).tolist())
    print(f"  [{orig}, {new}, [{values}]],")
