# What the action's commands share. Sourced by run.sh; everything comes in as environment variables.
# shellcheck shell=bash

say() { printf 'weighin: %s\n' "$*" >&2; }

fail() {
  say "$@"
  exit 1
}

# output NAME VALUE: an output of the step. A value cannot end its own text and start another output.
output() {
  local mark
  mark="end-$(random)"
  printf '%s<<%s\n%s\n%s\n' "$1" "$mark" "$2" "$mark" >>"$GITHUB_OUTPUT"
}

random() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# unset_empty NAME...: an action's input that was not given must not look like an empty setting.
unset_empty() {
  local name
  for name in "$@"; do
    if [[ -z ${!name:-} ]]; then unset "$name"; fi
  done
}

# verdict COMMAND...: run it; 3 (nothing may ship) is a verdict and no failure, the check tells it.
verdict() {
  each "$@"
  if ((failed != 0)); then finish; fi
}

# each COMMAND...: the same, but what fails does not stop what comes after it; `finish` fails then.
each() {
  local code=0
  "$@" || code=$?
  if ((code != 0 && code != 3)); then
    failed=$code
  elif ((code > worst)); then
    worst=$code
  fi
}

finish() {
  output exit-code "$((failed != 0 ? failed : worst))"
  exit "$failed"
}

# with_token COMMAND...: git with the job's token, which is in no file, URL or argument.
with_token() {
  local server="${GITHUB_SERVER_URL:-https://github.com}" basic
  if [[ -z ${GITHUB_TOKEN:-} ]]; then
    "$@"
    return
  fi
  basic=$(printf 'x-access-token:%s' "$GITHUB_TOKEN" | base64 -w0)
  GIT_TERMINAL_PROMPT=0 GIT_CONFIG_COUNT=1 \
    GIT_CONFIG_KEY_0="http.$server/.extraheader" \
    GIT_CONFIG_VALUE_0="AUTHORIZATION: basic $basic" "$@"
}

# Names of models and branches end up in the log: while this is on, no line of it is a command.
hush() {
  pause=$(random)
  echo "::stop-commands::$pause"
}

speak() { echo "::$pause::"; }

# show REFERENCE: the verdict in the job's summary, remarks in its log, the page as an artifact.
show() {
  local page
  weighin report --summary=- -- "$1" >>"$GITHUB_STEP_SUMMARY" || true
  speak
  weighin report --annotations -- "$1" || true
  hush
  page=$(weighin report --format html -- "$1") || true
  if [[ -f $page ]]; then
    pages=$((pages + 1))
    mkdir -p "$RUNNER_TEMP/weighin-report/$pages"
    cp -- "$page" "$RUNNER_TEMP/weighin-report/$pages/report.html"
    output artifact "$RUNNER_TEMP/weighin-report"
    output artifact-name "weighin-report-$GITHUB_JOB"
  fi
}

# pull_data: the data sets that weighin.toml names and git does not hold, from DVC's remote. What
# cannot be fetched is told by weighin when it is needed, by name.
pull_data() {
  local file files=()
  while IFS= read -r -d '' file; do files+=("$file"); done < <(python3 -c '
import pathlib, sys, tomllib
with open("weighin.toml", "rb") as file:
    models = tomllib.load(file).get("models", {}).values()
roles = ("evaluation", "calibration", "training", "unlabelled", "tuning")
named = {str(model[role]) for model in models for role in roles if role in model}
for name in sorted(named):
    if not pathlib.Path(name).exists():
        sys.stdout.write(name + "\0")
')
  for file in ${files[@]+"${files[@]}"}; do
    dvc pull --quiet -- "$file" || say "$file is neither here nor in the DVC remote"
  done
}

# reviewed REFERENCE: branch, pull request, comment and checks.
reviewed() {
  local reference=$1
  shift
  each weighin review --repo "$GITHUB_REPOSITORY" "$@" -- "$reference"
}
