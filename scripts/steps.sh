# shellcheck shell=bash
# Steps of a build that count while they run; sourced by scripts/test, scripts/demo and scripts/check.
#
#   step NAME COMMAND...   runs a program with its output in build/NAME.log. On a terminal one line
#                          counts and says what is left, elsewhere a line every 30 s.
#   expected NAME          how long the step took the last time, or typically takes
#
# Interrupted, a step stops all that it has started. Finished objects stay, and the next call goes on.

# Seconds on two cores, with nothing built yet, until a step has been timed on this machine.
declare -A typical=([release-build]=990 [release-test]=640 [demo-build]=230 [demo-train_embedding]=60
                    [bench-build]=240 [modern-tree]=240 [modern]=1800 [check]=16200)

export NINJA_STATUS='[%f/%t] '  # what step reads
if [[ -t 1 ]]; then pause=1; else pause=30; fi
own_session=(setsid)
command -v setsid >/dev/null || own_session=()

duration() {
  if (($1 < 100)); then echo "$1 s"; else echo "$((($1 + 30) / 60)) min"; fi
}

# What build/NAME.time remembers: seconds and how many (objects or tests) they were for; zeros if nothing.
recall() {
  seconds_before=0 count_before=0
  [[ ! -s build/$1.time ]] || read -r seconds_before count_before <"build/$1.time"
}

# What was over at once, or had little left to do, says nothing about the next time.
remember() {  # NAME SECONDS COUNT
  local seconds_before count_before
  recall "$1"
  (($2 < 5 || $3 < count_before / 2)) || echo "$2 $3" >"build/$1.time"
}

expected() {
  local seconds_before count_before
  recall "$1"
  if ((count_before > 0)); then
    echo "$(duration "$seconds_before") for $count_before the last time"
  elif ((seconds_before > 0)); then
    echo "$(duration "$seconds_before") the last time"
  elif [[ -n "${typical[$1]:-}" ]]; then
    echo "typically $(duration "${typical[$1]}") on two cores"
  else
    echo "not timed here yet"
  fi
}

# Rewrites the line on a terminal.
line() {  # TEXT [END]
  if [[ -t 1 ]]; then printf '\r\033[K%s%b' "$1" "${2:-}"; else printf '%s\n' "$1"; fi
}

# Reads on in the log, from file descriptor 3: [3/7] is ninja's, [ 42%] make's, 3/7 Test ctest's.
count() {
  local text pattern='^(\[ *([0-9]+)(/([0-9]+)|%)\] | *([0-9]+)/([0-9]+) Test )'
  while IFS= read -r text <&3 || { begun+=$text; false; }; do
    text=$begun$text begun=
    [[ $text =~ $pattern ]] || continue
    finished=${BASH_REMATCH[2]}${BASH_REMATCH[5]}
    total=${BASH_REMATCH[4]}${BASH_REMATCH[6]}
    total=${total:-100}
  done
}

# How far it is. What is left follows from the pace so far and, at first, from that of the last time.
state() {
  local took=$((SECONDS - started)) before=$((count_before / 10)) left=-1
  text="$title"
  if ((total > 0)); then
    text+=" $finished/$total"
    if ((before > 0)); then
      left=$(((total - finished) * (took * count_before + before * seconds_before) /
              ((finished + before) * count_before)))
    elif ((took >= 5 && finished > 0)); then
      left=$(((total - finished) * took / finished))
    fi
  else
    text+=", $(duration "$took") so far"
    ((seconds_before == 0)) || left=$((seconds_before > took ? seconds_before - took : 0))
  fi
  ((left < 0)) || text+=", about $(duration "$left") left"
}

stop() {  # SIGNAL
  trap '' INT TERM HUP PIPE
  kill -s "$1" -- "-$job" 2>/dev/null || kill -s "$1" "$job" 2>/dev/null || true
  for ((k = 0; k < 50; ++k)); do  # ninja takes away what is half written
    kill -0 -- "-$job" 2>/dev/null || break
    sleep 0.1
  done
  kill -s KILL -- "-$job" 2>/dev/null || true
  count
  ((total == 0)) || title+=" $finished/$total"
  line "$title stopped; what is built stays" '\n' 2>/dev/null || true
  trap - "$1"
  kill -s "$1" "$BASHPID"
}

step() {
  local title=${1/-/: } log=build/$1.log started=$SECONDS spoke=$SECONDS job signal status=0
  local text='' begun='' finished=0 total=0 seconds_before count_before
  recall "$1"
  : >"$log"
  exec 3<"$log"
  # A session of its own, which can be stopped whole. bash has what it starts with & ignore SIGINT.
  (trap - INT QUIT; exec "${own_session[@]}" "${@:2}") >"$log" 2>&1 </dev/null 3<&- &
  job=$!
  for signal in INT TERM HUP PIPE; do trap "stop $signal" "$signal"; done
  while kill -0 "$job" 2>/dev/null; do
    sleep 0.2 || true
    if ((SECONDS >= spoke + pause)); then
      spoke=$SECONDS
      count
      state
      line "$text"
    fi
  done
  wait "$job" || status=$?
  trap - INT TERM HUP PIPE
  count
  exec 3<&-
  if ((status == 0)); then
    ((total == 0)) || title+=" $total"
    line "$title ($(duration $((SECONDS - started))))" '\n'
    remember "$1" $((SECONDS - started)) "$total"
  else
    ((total == 0)) || title+=" $finished/$total"
    line "$title FAILED, all of it in $log" '\n'
    grep -vE '^ *Start +[0-9]+:|^ *[0-9]+/[0-9]+ Test .* Passed |^\[ *[0-9]+(/[0-9]+|%)\] ' "$log" | tail -n 200
  fi
  return "$status"
}

announce_preset() { echo "$1: build, $(expected "$1-build"); test, $(expected "$1-test")"; }

# A preset from its sources to its tests.
test_preset() {
  local jobs=${NEARFAR_JOBS:-$(nproc)}
  step "$1-configure" cmake --preset "$1" &&
    step "$1-build" cmake --build --preset "$1" -j"$jobs" &&
    step "$1-test" ctest --preset "$1" -j"$jobs"
}
