"""Writes tests/fixtures/audio/log_mel.json and .safetensors: some frames of the spectra of Transformers'
WhisperFeatureExtractor, as it computes them in f64 (`_np_extract_fbank_features`); with torch it computes in f32, and
differs by what is printed. Needs numpy, safetensors, torch and transformers; run from the root of the repository.
speech.wav was made once by: espeak-ng -s 170 -w raw.wav "The encoder listens, and the decoder writes it down." and
resampled to 16 kHz. The other signals are computed here and in the test by the same formulas."""

import json
import pathlib
import wave

import numpy as np
from safetensors.numpy import save_file
from transformers import WhisperFeatureExtractor

out = pathlib.Path("tests/fixtures/audio")


def noise(count):
    state, values = 7, []
    for _ in range(count):
        state = (1664525 * state + 1013904223) % 2**32
        values.append((state / 2**32 - 0.5) / 2)
    return np.array(values, np.float32)


def sweep(count):
    t = np.arange(count) / 16000
    return (0.8 * np.sin(2 * np.pi * (20 * t + 399 * t * t))).astype(np.float32)  # 20 to 8000 Hz in 10 seconds


def speech():
    with wave.open(str(out / "speech.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


signals = {"noise": noise(40000), "sweep": sweep(160000), "speech": speech()}
extractors = {
    "80 bands": {},
    "128 bands": {"feature_size": 128},
    "others": {"feature_size": 40, "n_fft": 256, "hop_length": 100, "chunk_length": 4, "sampling_rate": 8000},
}
cases, tensors = [], {}
for kind, config in extractors.items():
    extractor = WhisperFeatureExtractor(**config)
    for name, samples in signals.items():
        for padding in ["max_length", "longest"]:
            if padding == "longest" and not (kind == "80 bands" and name == "speech"):
                continue
            how = {"padding": padding, "truncation": padding == "max_length", "sampling_rate": extractor.sampling_rate}
            torch = extractor(samples, **how, return_tensors="np").input_features[0]
            length = extractor.n_samples if padding == "max_length" else len(samples)
            padded = np.pad(samples, (0, max(0, length - len(samples))))[:length]
            full = extractor._np_extract_fbank_features([padded], "cpu")[0]
            heard = min(full.shape[1], len(samples) // extractor.hop_length + 3)
            frames = sorted({*range(0, heard, 47), 1, 2, heard - 1, full.shape[1] - 1})
            key = f"{kind}, {name}, {padding}"
            tensors[key] = np.ascontiguousarray(full[:, frames].T).astype(np.float32)
            case = {"name": key, "signal": name, "config": config, "padding": padding}
            cases.append({**case, "frames": full.shape[1], "kept": frames})
            print(key, full.shape, "torch differs by", float(np.abs(torch - full).max()))
(out / "log_mel.json").write_text(json.dumps({"cases": cases}) + "\n")
save_file(tensors, out / "log_mel.safetensors")
