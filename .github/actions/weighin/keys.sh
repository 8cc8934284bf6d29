#!/usr/bin/env bash
# Puts the keys that a job was given where weighin looks for them, and takes them away again.
#   keys.sh write|remove
#   KEY_EVIDENCE KEY_TARGETS KEY_SNAPSHOT KEY_TIMESTAMP   PEM texts; empty (or "false"): not given
set -euo pipefail
folder=.weighin/keys
umask 077

for role in evidence targets snapshot timestamp; do
  name="KEY_${role^^}"
  key="${!name:-}"
  if [[ -z $key || $key == false ]]; then continue; fi
  if [[ $1 == write ]]; then
    mkdir -p "$folder"
    chmod 700 "$folder"
    rm -f -- "$folder/$role.pem"
    printf '%s\n' "$key" >"$folder/$role.pem"
  else
    rm -f -- "$folder/$role.pem"
  fi
done
