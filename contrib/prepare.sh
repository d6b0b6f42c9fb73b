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

# wanted_packages [LIST]...: packages.txt, and packages-LIST.txt for each LIST.
wanted_packages() {
	local list
	for list in packages.txt "${@/#/packages-}"; do
		sed 's/#.*//' "$TOP/contrib/${list%.txt}.txt"
	done | xargs -n 1 | sort -u
}

missing_packages() {
	wanted_packages "$@" | while read -r package; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
			grep -q '^install ok installed' || echo "$package"
	done
}

# install_packages [LIST]...: see wanted_packages.
install_packages() {
	local missing
	step "packages"
	command -v dpkg-query >/dev/null ||
		die "no dpkg here: see that what contrib/packages*.txt name is installed"
	mapfile -t missing < <(missing_packages "$@")
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

# build_tree [TARGET]...: all of it, set up with its tests; or the targets alone, without.
build_tree() {
	local tests=true
	[ $# = 0 ] || tests=false
	step "build, in $BUILD"
	if [ ! -e "$BUILD/build.ninja" ]; then
		meson setup "-Dtests=$tests" "$BUILD" "$TOP" || die "meson setup failed"
	elif [ $tests = true ] && [ ! -d "$BUILD/tests" ]; then
		# The demonstration has set it up.
		meson configure "$BUILD" -Dtests=true || die "meson configure failed"
	fi
	meson compile -C "$BUILD" "$@" || die "the build failed"
}
