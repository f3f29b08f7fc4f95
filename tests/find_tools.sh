#!/bin/sh
# Finds the programs that some tests need beside Python: Kannel and Chromium; or installs them where that is allowed
# (root, Debian). On standard output: the marker expression that leaves out the tests whose program is not there,
# nothing if none is left out; what is left out is said on standard error too. With CI set nothing may be left out, so
# that is an error (exit code 2).
left_out=

find_kannel() (
	PATH="$PATH:/usr/sbin"
	command -v bearerbox && command -v smsbox && [ -x /usr/lib/kannel/test/fakesmsc ]
) >/dev/null

find_browser() { # a browser without Chinese letters shows boxes, and measures them
	command -v chromium >/dev/null && fc-list :lang=zh-cn 2>/dev/null | grep -q .
}

install() {
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
	echo "Installing for the tests: apt-get install $*" >&2
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends "$@" >&2
}

# need MARKER PACKAGE…: what find_MARKER looks for is in these packages.
need() {
	marker=$1
	shift
	"find_$marker" || { install "$@" && "find_$marker"; } && return
	echo "LEFT OUT: the tests with the marker $marker. To run them: apt-get install $*" >&2
	left_out="${left_out:+$left_out and }not $marker"
}

need kannel kannel kannel-extras
need browser chromium fonts-noto-cjk fontconfig
echo "$left_out"
[ -z "$left_out" ] || [ -z "$CI" ] || exit 2
