#!/bin/sh
# Runs all tests of all modules, with the race detector, and brings what they
# need: on Debian as root by itself, elsewhere it says what to install.
# Arguments go to "go test": ./test.sh -count=20 -cpu 1,2,8 -timeout 12h
set -eu
cd "$(dirname "$0")"

say() { printf 'test.sh: %s\n' "$*" >&2; }

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

if ! command -v go >/dev/null 2>&1; then
	say "go is missing: install Go 1.26 or newer (https://go.dev/dl) and run this again."
	exit 1
fi
need gcc "gcc libc6-dev" "the race detector needs a C compiler"
command -v google-chrome >/dev/null 2>&1 || need chromium chromium "the example shop is tested in a browser"
need redis-server redis-server "package redisstore is tested with a Redis of its own"
need node nodejs "package interop shares tokens with js-auth, which is JavaScript"
need npm npm "package interop installs js-auth with it"

# "work" is every module of go.work. Whichever package hangs is ended, but none that a
# busy machine needs more than go's ten minutes for.
CGO_ENABLED=1 go test -race -timeout 40m "$@" work

./docs/model/check.sh
