#!/bin/sh
# Rewrites the tokens that SmolLM2's tokenizer, or Gemma's pieces, must give, as llama.cpp gives them.
#
#   scripts/golden/tokenizer.sh LLAMA_TOKENIZE MODEL.gguf OUTPUT.jsonl [SEPARATOR SEPARATOR]
#
# LLAMA_TOKENIZE is llama.cpp's tool of that name, MODEL.gguf SmolLM2 (its vocabulary is enough), and OUTPUT.jsonl
# rust-core/engine/tests/golden/smollm2_tokens.jsonl; for Gemma the file that gemma_pieces.py writes, gemma_tokens.jsonl, and the separators
# '<eos>' and '<bos>'. Needs python3 without packages; takes some twenty seconds.
set -eu
exec python3 "$(dirname "$0")/tokenizer.py" "$@"
