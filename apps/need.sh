# need.sh: installs the Debian packages that are missing. Sourced: `. apps/need.sh; need PACKAGE...`. Touches nothing when
# all are there; uses sudo when that is needed and there.

# Sets `missing` to those that are not there, and `as_root` to what installs them. False: all are there.
find_missing() {
	missing=
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
	done
	as_root=
	[ "$(id -u)" = 0 ] || as_root=sudo
	[ -n "$missing" ]
}

need() {
	find_missing "$@" || return 0
	if [ -n "$as_root" ] && ! command -v sudo >/dev/null 2>&1; then
		echo "need: these packages are missing, and there is no sudo to install them:$missing" >&2
		return 1
	fi
	echo "installing$missing" >&2
	# Lists may be absent or old, so they are fetched when, and only when, something is to be installed.
	$as_root apt-get update -qq >&2 &&
		$as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $missing </dev/null >&2
}

# The same for packages that would start a service at once, on port 80, where all of them cannot be: this one does not let them.
need_without_services() {
	find_missing "$@" || return 0
	policy=/usr/sbin/policy-rc.d
	if [ -e $policy ] || { [ -n "$as_root" ] && ! command -v sudo >/dev/null 2>&1; }; then
		need "$@"
		return
	fi
	(
		trap '$as_root rm -f $policy' EXIT
		trap 'exit 1' HUP INT TERM
		printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
		$as_root chmod +x $policy
		need "$@"
	)
}

# What building takes; the same for apps and tests, so that one build folder serves both.
need_to_build() {
	need gcc libc6-dev meson ninja-build pkg-config libmicrohttpd-dev uthash-dev nettle-dev brotli zstd
	# Either of its flavours will do, and one would put out the other.
	pkg-config --exists libcurl || need libcurl4-gnutls-dev
}
