#!/bin/sh
# link-headers.sh DIR: makes DIR/rung/ with a link to every public header, so that `#include <rung/x.h>` means the
# same file inside the tree as it does installed. Prints the headers' paths, one a line, for the build to install.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1/rung"
for header in "$top"/framework/*.h "$top"/middleware/*.h "$top"/middleware/*/*.h; do
	[ -e "$header" ] || continue
	# A private header says so where it says its name, and is reached by its own path alone.
	if head -n 2 "$header" | grep -q '\.h: private:'; then
		rm -f "$1/rung/$(basename "$header")"
		continue
	fi
	ln -sfn "$header" "$1/rung/$(basename "$header")"
	echo "$header"
done
