#!/usr/bin/env bash
# Is there anything to do here? The workflows also run in repositories that have no project yet.
set -euo pipefail
if [[ -f weighin.toml ]]; then
  echo "project=yes" >>"$GITHUB_OUTPUT"
else
  echo "project=no" >>"$GITHUB_OUTPUT"
  echo "weighin: no weighin.toml in this folder, so there is nothing to do"
fi
