# common.sh: sourced by run and allocs: the build, and servers that come and go.

bench=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$bench/../.." && pwd)
build=$top/build-bench
scratch=$(mktemp -d)
. "$top/apps/need.sh"
servers=

finish() {
	for server in $servers; do
		kill "$server" 2>/dev/null || true
	done
	wait
	rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# What is built is what a distribution would ship: -O2 without assertions. Symbols cost nothing and name what a
# profile finds.
build_targets() {
	need_to_build
	if [ ! -e "$build/build.ninja" ]; then
		meson setup "$build" "$top" -Doptimization=2 -Ddebug=true -Db_ndebug=true >"$scratch/setup.log" 2>&1 || {
			cat "$scratch/setup.log" >&2
			die "meson setup failed"
		}
	fi
	ninja -C "$build" "$@" >"$scratch/build.log" 2>&1 || {
		cat "$scratch/build.log" >&2
		die "the build failed"
	}
}

# start_server NAME COMMAND...: leaves its process in $pid and its port in $port. Standard error goes to $errors, if set.
start_server() {
	server_name=$1
	shift
	: >"$scratch/$server_name.out"
	"$@" >"$scratch/$server_name.out" 2>"${errors:-$scratch/$server_name.err}" &
	pid=$!
	servers="$servers $pid"
	for _ in $(seq 300); do
		port=$(sed -n 's|^listening on http://127\.0\.0\.1:\([0-9]*\)/$|\1|p' "$scratch/$server_name.out")
		[ -n "$port" ] && return
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	cat "${errors:-$scratch/$server_name.err}" >&2
	die "$server_name did not start"
}

stop_server() {
	kill -TERM "$1" 2>/dev/null || true
	wait "$1" || die "a server ended with status $?"
	remaining=
	for server in $servers; do
		[ "$server" = "$1" ] || remaining="$remaining $server"
	done
	servers=$remaining
}
