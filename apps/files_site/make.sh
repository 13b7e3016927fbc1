#!/bin/sh
# make.sh SOURCE OUTPUT: makes the site of files_site: fingerprints in the names of its assets, the same in its pages, and
# what can be made smaller in three smaller forms beside it.
set -eu
source=$1
output=$2
rm -rf "$output"
mkdir -p "$output/public/assets" "$output/public/catalogue" "$output/downloads/older"

cp "$source/index.html" "$output/public/index.html"
cp "$source/catalogue.html" "$output/public/catalogue/index.html"
for asset in site.css site.js ladder.svg; do
	stem=${asset%.*}
	extension=${asset##*.}
	# By its content, so that another content has another name. The letter is for those that happen to have none.
	fingerprint=a$(sha256sum "$source/$asset" | cut -c 1-11)
	cp "$source/$asset" "$output/public/assets/$stem.$fingerprint.$extension"
	sed -i "s|assets/$asset|assets/$stem.$fingerprint.$extension|g" \
		"$output/public/index.html" "$output/public/catalogue/index.html"
done
for file in "$output"/public/*.html "$output"/public/*/*; do
	gzip -9 -n -k "$file"
	brotli -q 11 "$file"
	zstd -q -19 "$file"
done

# A million bytes and some, each line of which is its own number.
seq -f '%015.0f' 0 65535 >"$output/downloads/lines.txt"
cp "$source/site.css" "$output/downloads/older/site.css"
printf 'Names are escaped: this one has an ampersand, a percent sign and blanks.\n' >"$output/downloads/50% & more.txt"
: >"$output/downloads/.hidden"
: >"$output.stamp"
