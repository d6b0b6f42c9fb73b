# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What contrib/kernels runs in its two forms, as pieces (pieces.sh), and after how many
# seconds a guest has failed.

STORES='tmpfs ext4 xfs btrfs'

# The core of the library, the contract, every kind of operation: a minute and a half on an
# emulated processor.
quick_pieces() {
	echo tests:unit:gate+page_lock+range_op+chase+fence+in_hand
	echo tests:mount:mount/contract+mount/late_copies
	echo oracle:tmpfs:15 oracle:ext4:15
	echo foldx:tmpfs:1000
}
# Many times what it takes where there is nothing else to do.
quick_limit() { echo 1500; }

# The worlds of the mount suites, as they are counted in the table: name, tests.
WORLDS='mount:mount/* mount-root:mount-root/* mount-writeback:mount-writeback/*
	mount-verify:mount-verify/* mount-small:mount-small/* mount-fence:mount-fence/*
	mount-stores:mount-tmpfs/*+mount-ext*+mount-xfs/*+mount-btrfs/*
	mount-no-open:mount-no-open* mount-watch:mount-watch*
	mount-root-options:mount-root-*/* faults:fault*/*'

# The oracles of all stores at once: ten minutes each in ten minutes, of which they share
# the processors.
long_pieces() {
	local store world
	echo "oracle:${STORES// /+}:600"
	for store in $STORES; do echo "foldx:$store:20000"; done
	# What the tests reach of the library is the same on each kernel, and takes a build.
	echo tests:unit:--suite+unit+--no-suite+interleaving+--no-suite+coverage
	# Unquoted they would be names of files.
	while read -r world; do echo "tests:$world"; done < <(xargs -n 1 <<<"$WORLDS")
	echo tests:interleaving:--suite+interleaving
}
long_limit() { echo 21600; }

# The fence left out, and each of its rules: for kernels that need it.
twin_pieces() {
	echo twin:fence:60
	echo tests:twins:twins/fence
}
