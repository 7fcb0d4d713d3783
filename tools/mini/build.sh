#!/usr/bin/env bash
# Rebuilds models/mini: sprites, words, tokenizer, weights (one NVIDIA GPU, about 17 + 2 minutes), evaluation, pictures.
# Needs: Debian's fonts-noto-color-emoji, unicode-cldr-core and unicode-data; python3 with fonttools, pillow, numpy,
# torch >= 2.6 and transformers >= 5. Usage: tools/mini/build.sh [scratch folder]
set -euo pipefail
cd "$(dirname "$0")"
scratch=${1:-$(mktemp -d)}
python3 extract_sprites.py
python3 make_spec.py
python3 make_tokenizer.py
python3 train.py --out "$scratch/all" --seconds 1000 --steps 1000000 --batch 1024 --lr 0.0015 --every 1500
python3 export.py "$scratch/all/state.pt"
python3 train.py --out "$scratch/language" --language --init ../../models/mini/model.safetensors --seconds 100 \
    --steps 1000000 --batch 512 --shorts 8 --free 60 --photos 16 --texts 64 --lr 0.0008 --warmup 30 --every 1000000 \
    --eager --seed 2
python3 export.py "$scratch/language/state.pt"
python3 check.py "$scratch/language/state.pt"
python3 evaluate.py --report log/report.json
python3 make_items.py
python3 make_demo.py
python3 ../../tests/goldens/mini/make.py
cp "$scratch/all/train.log" log/train.jsonl
cp "$scratch/language/train.log" log/language.jsonl
