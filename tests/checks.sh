# The harness of tests/deploy/run and tests/packaging/run, which source it: checks by name, each in a subshell, counted as passed,
# failed or skipped. `words`, their arguments: only checks whose names hold one of these are run.
readonly SKIP=75 # what a check answers when it cannot run here (EX_TEMPFAIL)
passed=0 failed=0 skipped=0 words=("$@")

skip() {
  echo "SKIPPED: $*"
  exit "$SKIP"
}

# check NAME FUNCTION
check() {
  local word wanted=${#words[@]} code began=$SECONDS
  for word in "${words[@]}"; do [[ $1 != *"$word"* ]] || wanted=0; done
  ((wanted == 0)) || return 0
  echo "=== $1"
  ("$2")
  code=$?
  case $code in
    0) passed=$((passed + 1)) && echo "=== $1: passed, $((SECONDS - began)) s" ;;
    "$SKIP") skipped=$((skipped + 1)) && echo "=== $1: SKIPPED" ;;
    *) failed=$((failed + 1)) && echo "=== $1: FAILED ($code), $((SECONDS - began)) s" ;;
  esac
}

# The last line, and the exit code: 0 if nothing failed, 2 if no check has such a name.
finish() {
  echo "$passed passed, $failed failed, $skipped skipped"
  ((passed + failed + skipped > 0)) || { echo "no check's name holds any of: ${words[*]}" && exit 2; }
  ((failed == 0))
}
