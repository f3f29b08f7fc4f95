#!/bin/sh
# Whether the tests against a real Kannel can run: finds it, or installs it where that is allowed (root, Debian).
# Exit code 0: it is there; 1: it is not, and what is left out is said on standard error. With CI set nothing may be
# left out, so that is an error (exit code 2).
found() {
	PATH="$PATH:/usr/sbin"
	command -v bearerbox >/dev/null && command -v smsbox >/dev/null && [ -x /usr/lib/kannel/test/fakesmsc ]
}

install() {
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
	echo 'Installing Kannel for the tests: apt-get install kannel kannel-extras' >&2
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends kannel kannel-extras >&2
}

found || { install && found; } && exit 0
echo 'LEFT OUT: the tests against a real Kannel (marker kannel). To run them: apt-get install kannel kannel-extras' >&2
[ -z "$CI" ] || exit 2
exit 1
