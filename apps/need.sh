# need.sh: installs the Debian packages that are missing. Sourced: `. apps/need.sh; need PACKAGE...`. Touches nothing when
# all are there; uses sudo when that is needed and there.

need() {
	missing=
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	as_root=
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null 2>&1 || {
			echo "need: these packages are missing, and there is no sudo to install them:$missing" >&2
			return 1
		}
		as_root=sudo
	fi
	echo "installing$missing" >&2
	# Lists may be absent or old, so they are fetched when, and only when, something is to be installed.
	$as_root apt-get update -qq >&2 &&
		$as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $missing </dev/null >&2
}

# What building takes; the same for apps and tests, so that one build folder serves both.
need_to_build() {
	need gcc libc6-dev meson ninja-build pkg-config libmicrohttpd-dev uthash-dev nettle-dev brotli zstd
	# Either of its flavours will do, and one would put out the other.
	pkg-config --exists libcurl || need libcurl4-gnutls-dev
}
