#!/usr/bin/env bash
# One command of the action: COMMAND says which; the other variables are the action's inputs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
source "$here/lib.sh"
# shellcheck source=channel.sh
source "$here/channel.sh"

worst=0
failed=0
pages=0
export GIT_AUTHOR_NAME=weighin GIT_AUTHOR_EMAIL=weighin@users.noreply.github.com
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
unset_empty GITHUB_TOKEN MLFLOW_TRACKING_URI MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD \
  MLFLOW_TRACKING_TOKEN AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY

hush
trap speak EXIT

# weigh: one version, or whatever is due. For your own workflows; reviews nothing.
weigh() {
  look_at_channel
  pull_data
  if [[ -z ${MODEL:-} ]]; then
    each weighin sync --only weigh
    return
  fi
  verdict weighin run -- "$MODEL/$VERSION"
  show "$MODEL/$VERSION"
}

# measure: a pull request's state, without any secret; whatever it did ends up in a bundle.
measure() {
  weighin init >/dev/null # keys that nobody trusts
  pull_data
  each weighin sync --only weigh
  weighin bundle write "$RUNNER_TEMP/weighin-bundle"
  output artifact "$RUNNER_TEMP/weighin-bundle"
  output artifact-name weighin-bundle
}

# register: weigh and review one version, or whatever is due.
register() {
  weigh
  if [[ -n ${MODEL:-} ]]; then
    reviewed "$MODEL/$VERSION"
  else
    review_all
  fi
}

# review_all: every version that was weighed on this machine; its arguments go to the reviews.
review_all() {
  local report reference
  for report in .weighin/runs/*/v*/report.json; do
    if [[ ! -f $report ]]; then continue; fi
    reference=${report#.weighin/runs/}
    reference=${reference%/report.json}
    reference="${reference%/v*}/${reference##*/v}"
    show "$reference"
    reviewed "$reference" "$@"
  done
}

# refresh: weigh what is due or has expired, and review it, merged versions in one more pull request.
refresh() {
  look_at_channel
  pull_data
  each weighin sync --only weigh
  review_all --renew
}

# report: what a finished, untrusted run measured, judged here.
report() {
  local found pull sha fetched="$RUNNER_TEMP/weighin-fetched" one
  found=$(weighin bundle fetch "$fetched")
  if [[ -z $found ]]; then return; fi
  read -r pull sha <<<"$found"
  look_at_channel
  pull_data
  for one in "$fetched"/weigh-in-*; do
    if [[ ! -d $one ]]; then
      say "there is nothing to judge; the check 'weighin' stays open"
      return
    fi
    each weighin review --repo "$GITHUB_REPOSITORY" --pull "$pull" --sha "$sha" --bundle "$one"
  done
}

# waive: a reviewer's comment on one of weighin's own pull requests is read and recorded.
waive() {
  local commit reference
  if [[ ! $PULL =~ ^[1-9][0-9]*$ ]]; then fail "the number of a pull request is needed"; fi
  with_token git fetch --quiet --no-tags --depth 1 origin "refs/pull/$PULL/head"
  commit=$(git rev-parse FETCH_HEAD)
  if ! with_token git ls-remote --heads origin "refs/heads/weighin/*" | grep "^$commit[[:space:]]" >/dev/null; then
    say "pull request $PULL is not at the tip of a branch weighin/* of this repository: nothing can be waived there"
    return
  fi
  weighin bundle restore "$commit" >"$RUNNER_TEMP/weighin-references"
  look_at_channel
  pull_data
  while IFS= read -r reference; do
    reviewed "$reference"
  done <"$RUNNER_TEMP/weighin-references"
}

# promote: everything that was merged since the last time.
promote() {
  pull_data # today's plan names the data by content
  on_channel "Release what was merged up to $AFTER" promote_merged
}

promote_merged() {
  local path before=$BEFORE known code=0
  path=$(channel_path) || fail "weighin.toml cannot be read"
  # A waiting run is dropped when a newer one comes: start where the last release ended.
  known=$(cat "$path/promoted.txt" 2>/dev/null || true)
  if [[ $known =~ ^[0-9a-f]{40,64}$ ]] && git merge-base --is-ancestor "$known" "$AFTER" 2>/dev/null; then
    before=$known
  fi
  weighin promote --merged "$before" "$AFTER" || code=$?
  if ((code == 0 || code == 3)); then printf '%s\n' "$AFTER" >"$path/promoted.txt"; fi
  return "$code"
}

# renew: the channel says that it is alive.
renew() { on_channel "The channel is alive" renew_channel; }

renew_channel() { weighin sync --only channel; }

case "$COMMAND" in
  weigh | measure | register | refresh | report | waive | promote | renew) "$COMMAND" ;;
  *) fail "there is no command '$COMMAND'" ;;
esac
finish
