#!/usr/bin/env bash
# Correctness and every figure of the GPU in one run, beside PyTorch's where it is installed. Prints a table, writes bench/results/gpu-COMMIT.json.
#   bench/gpu.sh                                   everything, within 480 s
#   bench/gpu.sh --only decode,prefill --budget 120
#   bench/gpu.sh --mm "dotnet out/mm.dll" --goldens FOLDER --gpus 4
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
commit="$(git -C "$here" rev-parse --short HEAD 2>/dev/null || echo unknown)"
exec python3 "$here/gpu.py" --commit "$commit" "$@"
