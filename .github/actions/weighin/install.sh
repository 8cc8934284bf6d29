#!/usr/bin/env bash
# Installs one release of weighin, or the one in a folder.
#   WEIGHIN_VERSION  from PyPI, unless WEIGHIN_SOURCE names a folder
#   CONSTRAINTS      a constraints file; empty: none
set -euo pipefail
torch=2.13.0
cpu_index=https://download.pytorch.org/whl/cpu

options=(--quiet --disable-pip-version-check)
if [[ -n ${CONSTRAINTS:-} ]]; then options+=(--constraint "$CONSTRAINTS"); fi
what="weighin[plugin]==$WEIGHIN_VERSION"
if [[ -n ${WEIGHIN_SOURCE:-} ]]; then what="$(cd "$WEIGHIN_SOURCE" && pwd)[plugin]"; fi

# The CPU build is 200 MB where PyPI's is gigabytes; where that index is shut, PyPI's will do.
python -m pip install "${options[@]}" --no-deps --retries 0 --timeout 20 --index-url "$cpu_index" "torch==$torch" ||
  echo "weighin: PyTorch's own index cannot be reached; taking PyPI's build"
python -m pip install "${options[@]}" "$what"
