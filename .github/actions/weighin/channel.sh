# The channel lives on a branch of its own between jobs. Sourced by run.sh.
# shellcheck shell=bash
#
# Functions that are called in a condition run without `set -e`: each command says what a failure means.

channel_path() {
  python3 -c '
import tomllib
with open("weighin.toml", "rb") as file:
    print(tomllib.load(file).get("channel", {}).get("path", ".weighin/channel"))
'
}

# restore_channel: the newest state of the branch, in the channel's folder; 1 if there is no branch.
restore_channel() {
  if [[ -z ${CHANNEL_BRANCH:-} ]]; then return 0; fi
  local path remote code=0
  path=$(channel_path) || fail "weighin.toml cannot be read"
  remote=$(git remote get-url origin) || fail "this checkout has no remote 'origin'"
  with_token git ls-remote --exit-code --heads "$remote" "refs/heads/$CHANNEL_BRANCH" >/dev/null || code=$?
  if ((code == 2)); then return 1; fi
  if ((code != 0)); then fail "the repository does not tell whether it has a branch $CHANNEL_BRANCH"; fi
  if [[ -e $path && ! -d $path/.git ]]; then
    fail "$path is there already and is no copy of the branch $CHANNEL_BRANCH"
  fi
  rm -rf -- "$path"
  with_token git clone --quiet --depth 1 --single-branch --branch "$CHANNEL_BRANCH" -- "$remote" "$path" ||
    fail "the branch $CHANNEL_BRANCH cannot be fetched"
}

need_channel() {
  restore_channel || fail "there is no branch $CHANNEL_BRANCH; docs/github.md says how to make it"
}

# save_channel MESSAGE: put what changed on the branch; 1 if somebody else was faster.
save_channel() {
  if [[ -z ${CHANNEL_BRANCH:-} ]]; then return 0; fi
  local path name
  path=$(channel_path) || fail "weighin.toml cannot be read"
  touch "$path/.nojekyll" # or GitHub Pages leaves files out
  for name in root.json metadata targets promoted.txt .nojekyll; do
    if [[ ! -e $path/$name ]]; then continue; fi
    git -C "$path" add --all -- "$name" || fail "the channel cannot be committed"
  done
  if git -C "$path" diff --cached --quiet; then return 0; fi
  git -C "$path" commit --quiet --message "$1" || fail "the channel cannot be committed"
  with_token git -C "$path" push --quiet origin "HEAD:refs/heads/$CHANNEL_BRANCH"
}

# on_channel MESSAGE FUNCTION: restore, do, save; again from the start if the branch moved meanwhile.
on_channel() {
  local attempt
  for attempt in 1 2 3; do
    need_channel
    failed=0 worst=0
    each "$2"
    # What was signed is complete and valid, also when a later version was refused.
    if save_channel "$1"; then return; fi
    say "the branch $CHANNEL_BRANCH moved meanwhile (attempt $attempt)"
  done
  fail "the branch $CHANNEL_BRANCH could not be pushed; run this job again"
}
