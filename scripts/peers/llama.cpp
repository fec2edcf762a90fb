#!/usr/bin/env bash
# Builds llama.cpp from the PyPI source package of llama-cpp-python and runs its bench and perplexity on a model,
# with Mneme's bench before and after, so that one run compares them.
#
#     scripts/peers/llama.cpp MODEL.gguf [TEXT]
#
# Needs: clang, cmake and ninja (pip's will do), python3 with pip. GCC 12 miscompiles its AMX set-up. The build is kept
# in ${PEER_FOLDER:-.build/peers}; the AVX-512 and AMX builds are separate, since ggml chooses at build time.
set -euo pipefail
model=$1 text=${2:-}
folder=${PEER_FOLDER:-.build/peers}
mkdir -p "$folder"
threads=$(nproc)
source=$(ls -d "$folder"/llama_cpp_python-*/vendor/llama.cpp 2>/dev/null | head -1 || true)
if [ -z "$source" ]; then
    python3 -m pip download -q --no-deps --no-binary :all: --no-build-isolation --disable-pip-version-check -d "$folder" llama-cpp-python ||
        python3 -m pip download -q --no-deps --no-binary :all: --disable-pip-version-check -d "$folder" llama-cpp-python
    tar -xzf "$folder"/llama_cpp_python-*.tar.gz -C "$folder"
    source=$(ls -d "$folder"/llama_cpp_python-*/vendor/llama.cpp | head -1)
fi
build() { # NAME OPTIONS…
    [ -x "$folder/$1/bin/llama-bench" ] && return
    cmake -S "$source" -B "$folder/$1" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
        -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF \
        -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON "${@:2}" >"$folder/$1.log" 2>&1
    cmake --build "$folder/$1" --target llama-bench llama-perplexity >>"$folder/$1.log" 2>&1 || { tail -20 "$folder/$1.log" >&2; exit 1; }
}
build avx512 -DGGML_AVX512=ON -DGGML_AVX512_VNNI=ON -DGGML_AVX512_VBMI=ON -DGGML_AVX512_BF16=ON
builds=(avx512)
if grep -q amx_int8 /proc/cpuinfo; then
    build amx -DGGML_AVX512=ON -DGGML_AVX512_VNNI=ON -DGGML_AVX512_VBMI=ON -DGGML_AVX512_BF16=ON -DGGML_AMX_TILE=ON -DGGML_AMX_INT8=ON -DGGML_AMX_BF16=ON
    builds+=(amx)
fi
mneme=${MNEME:-.build/release/mneme}
"$mneme" bench llm "$model" --prompt 512 --sequences 1
for name in "${builds[@]}"; do
    echo "llama.cpp, $name build"
    "$folder/$name/bin/llama-bench" -m "$model" -t "$threads" -p 512 -n 128 -r 5 2>/dev/null
done
"$mneme" bench llm "$model" --prompt 512 --sequences 1
if [ -n "$text" ]; then
    "$folder/${builds[-1]}/bin/llama-perplexity" -m "$model" -f "$text" -t "$threads" -c 512 --chunks 60 2>&1 | grep "Final estimate"
    echo "mneme: $("$mneme" perplexity "$model" "$text" --windows 60)"
fi
