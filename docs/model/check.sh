#!/bin/sh
# Checks the model of the distributed refresh with spin: that the protocol has all
# the properties that ../fleet.md promises, and that it loses one of them with each
# rule that is taken away. It brings spin and gcc: on Debian as root by itself,
# elsewhere it says what to install. It takes about a minute of CPU, and 600 MB.
#
# With arguments it tries one configuration of refresh.pml and prints the shortest
# way to what is violated: ./check.sh -DNO_NOTE -DFAMILY=1 -DFAULTS=1
set -eu
cd "$(dirname "$0")"

say() { printf 'check.sh: %s\n' "$*" >&2; }

# need COMMAND PACKAGE WHY: makes sure that COMMAND is there.
need() {
	command -v "$1" >/dev/null 2>&1 && return
	if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
		say "installing $2, $3"
		apt-get update -q >&2
		DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $2 >&2
		command -v "$1" >/dev/null 2>&1 && return
	fi
	say "$1 is missing: $3. Install it (Debian: apt-get install $2) and run this again."
	exit 1
}

need gcc "gcc libc6-dev" "what spin makes of the model is compiled"
need spin spin "the model is checked with it"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'kill $(jobs -p) 2>/dev/null; exit 1' HUP INT TERM
cp refresh.pml "$dir"
cd "$dir"

# search KIND FLAGS…: looks at all states that the model can get into, or with the
# kind "served" at all ways in which it can go on for ever. It sets found to the
# property that is violated, or to "nothing", and states to the number of those seen.
search() {
	compile='-DNOCLAIM -DSAFETY' run=
	[ "$1" != served ] || compile= run='-a -f'
	shift
	found='no result' states=0
	# Spin's partial order reduction knows nothing of "provided".
	if ! spin -a "$@" refresh.pml >out 2>&1 ||
		! gcc $optimize -w -DNOREDUCE $compile -o pan pan.c >>out 2>&1; then
		cat out >&2
		return
	fi
	./pan -m100000 $run $steps >out 2>&1 || true
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' out)
	if grep -q 'acceptance cycle (\|invalid end state (' out; then
		found=served
	elif grep -q 'assertion violated' out; then
		found=$(sed -n 's/.*assertion violated *!(\([A-Za-z]*\)).*/\1/p' out | head -n 1)
	elif grep -q 'errors: 0$' out && ! grep -q 'not completed\|max search depth' out; then
		found=nothing
	else
		cat out >&2
	fi
}

optimize=-O1 steps=
if [ $# -gt 0 ]; then
	optimize="-O1 -DREACH" steps="-i"
	search all "$@"
	printf '%s states, violated: %s\n' "$states" "$found"
	[ "$found" = nothing ] && exit
	spin -t -p -g "$@" refresh.pml
	exit 1
fi

failed=0

# row WHAT WANT: prints the result of the last search.
row() {
	if [ "$found" = "$2" ]; then
		printf '%-57s %8s  %s\n' "$1" "$states" "$found"
	else
		printf '%-57s %8s  %s, and that is wrong: %s was expected\n' "$1" "$states" "$found" "$2"
		failed=1
	fi
}

# holds WHAT FLAGS…: all properties hold.
holds() {
	what=$1
	shift
	search all "$@"
	row "$what" nothing
}

# goesOn WHAT FLAGS…: whoever needs a token gets one, or an error.
goesOn() {
	what=$1
	shift
	search served -DPOLL=1 "$@"
	row "$what" nothing
}

# breaks PROPERTY WHAT FLAGS…: without a rule, that property is lost.
breaks() {
	want=$1 what=$2
	shift 2
	kind=all
	[ "$want" != served ] || kind=served
	search "$kind" "$@"
	row "$what" "$want"
}

# protocol checks the protocol as it is.
protocol() {
	set -- -DFAMILY="$1"
	holds "  2 processes, 3 faults" "$@" -DFAULTS=3
	holds "  2 processes, 2 faults, each refreshes twice" "$@" -DFAULTS=2 -DROUNDS=2
	holds "  2 processes, 2 faults, logout" "$@" -DFAULTS=2 -DLOGOUT=1
	holds "  3 processes, 1 fault, logout" "$@" -DN=3 -DFAULTS=1 -DLOGOUT=1
	goesOn "  2 processes, 2 faults, for ever" "$@" -DFAULTS=2
	goesOn "  3 processes, 1 fault, for ever" "$@" -DN=3 -DFAULTS=1
}

# refusing is a service that refuses a refresh token which is spent.
refusing() {
	printf '%-57s %8s  %s\n a spent refresh token is refused\n' 'the protocol' states violated
	protocol 0
}

# ending is one that ends what has come of it, too.
ending() {
	printf ' a spent refresh token is refused, and ends its successors\n'
	protocol 1
	holds "  3 processes, 2 faults" -DN=3 -DFAULTS=2 -DFAMILY=1
}

# rules checks that it needs each of its rules.
rules() {
	printf '%-57s %8s  %s\n' 'with one rule taken away' states violated
	optimize=-O0
	breaks sentTooOften "  no lock" -DNO_LOCK
	breaks sentTooOften "  the record is not read again under the lock" -DNO_REREAD
	breaks sentTwiceUnderLease "  a request without an answer is sent again at once" -DRETRY -DFAULTS=1
	breaks sentTooOften "  no look at the lease before sending" -DNO_LOOK -DFAULTS=1
	breaks sentTooOften "  the look at the lease comes before the note" -DLOOK_FIRST -DFAULTS=1
	breaks rotationLost "  no note" -DNO_NOTE -DFAULTS=1 -DFAMILY=1
	breaks rotationLost "  no wait for the owner of the note" -DNO_WAIT -DFAULTS=1 -DFAMILY=1
	breaks rotationLost "  the note is read after the record" -DNOTE_READ_LAST -DFAULTS=1 -DFAMILY=1
	breaks expiredInVain "  the note is written over whatever is there" -DNOTE_BY_SET -DFAULTS=2
	breaks sentTooOften "  unlocked although the record could not be written" -DUNLOCK_UNSAVED -DFAULTS=1 -DFAMILY=1
	breaks rotationLost "  unlocked after an error, with a token to be written" -DUNLOCK_ON_ERROR -DFAULTS=2 -DROUNDS=2
	breaks rotationLost "  a new token does not replace \"expired\"" -DLEAVE_EXPIRED -DFAULTS=1
	breaks sentTooOften "  a token that was refused does" -DSAVE_REFUSED -DFAULTS=2 -DROUNDS=2 -DFAMILY=1
	breaks rotationLost "  a write that only seemed to fail is somebody else's" -DKNOW_ONLY_KEPT -DFAULTS=2 -DROUNDS=2
	breaks logoutUndone "  the record is set, not swapped" -DSAVE_BY_SET -DLOGOUT=1
	breaks logoutUndone "  \"expired\" is set, not swapped" -DEXPIRE_BY_SET -DFAULTS=2 -DLOGOUT=1
	breaks logoutUndone "  a logout leaves \"expired\" as it is" -DLOGOUT_LEAVES_EXPIRED -DFAULTS=1 -DLOGOUT=1
	breaks leftAlive "  a token that comes after the logout is not revoked" -DNO_TAKING_BACK -DLOGOUT=1
	breaks served "  a lock without a lease" -DNO_LEASE -DFAULTS=1 -DPOLL=1
	breaks served "  the wait for the owner of the note has no end" -DWAIT_FOR_EVER -DFAULTS=1 -DPOLL=1
}

# begin PART…: checks parts, one after another, in a folder of their own.
begin() (
	mkdir "$1"
	cp refresh.pml "$1"
	cd "$1"
	for part; do
		"$part" >"../$part.report" 2>&1
	done
	exit $failed
)

begin refusing rules &
one=$!
begin ending &
other=$!
wait $one || failed=1
wait $other || failed=1
cat refusing.report ending.report rules.report
if [ $failed = 0 ]; then
	printf 'the protocol holds, and needs each of these rules\n'
else
	printf 'the model is not as it should be\n'
fi
exit $failed
