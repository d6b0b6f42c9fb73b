# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The first half of contrib/check and contrib/demo: packages and the build. Sourced.
# Sets TOP (the checkout) and BUILD; every step says what it does before it does it.

set -u
export LC_ALL=C.UTF-8
export PATH="$PATH:/usr/sbin:/sbin"

TOP=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/..")
BUILD=${FOLDFS_BUILD:-$TOP/build}

step() { printf '\n== %s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
am_root() { [ "$(id -u)" = 0 ]; }

wanted_packages() { sed 's/#.*//' "$TOP/contrib/packages.txt" | xargs -n 1; }

missing_packages() {
	wanted_packages | while read -r package; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
			grep -q '^install ok installed' || echo "$package"
	done
}

install_packages() {
	local missing
	step "packages"
	command -v dpkg-query >/dev/null ||
		die "no dpkg here: see that what contrib/packages.txt names is installed"
	mapfile -t missing < <(missing_packages)
	if [ ${#missing[@]} = 0 ]; then
		echo "all there"
		return
	fi
	echo "missing: ${missing[*]}"
	am_root || die "as root: apt-get install ${missing[*]}"
	# The lists may be old, or not there at all: fetched once that matters.
	apt_install "${missing[@]}" >/dev/null 2>&1 || {
		apt-get update -q && apt_install "${missing[@]}"
	} || die "apt-get could not install what is missing"
}

apt_install() {
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" \
		</dev/null
}

build_tree() {
	step "build, in $BUILD"
	if [ ! -e "$BUILD/build.ninja" ]; then
		meson setup "$BUILD" "$TOP" || die "meson setup failed"
	fi
	meson compile -C "$BUILD" || die "the build failed"
}
