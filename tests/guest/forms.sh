# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What contrib/kernels runs in its two forms, as pieces (pieces.sh), and after how many
# seconds a guest has failed.

STORES='tmpfs ext4 xfs btrfs'

# The core of the library, the contract, every kind of operation: a minute and a half on an
# emulated processor.
quick_pieces() {
	echo tests:unit:gate+page_lock+range_op+chase
	echo tests:mount:mount/contract+mount/late_copies
	echo oracle:tmpfs:15 oracle:ext4:15
	echo foldx:tmpfs:1000
}
quick_limit() { echo 900; }

long_pieces() {
	local store
	for store in $STORES; do echo "foldx:$store:20000"; done
	for store in $STORES; do echo "oracle:$store:600"; done
	echo tests:unit:--suite+unit
	echo tests:interleaving:--suite+interleaving
	echo tests:mount:--suite+mount+--no-suite+stress+--no-suite+twins+--no-suite+external
}
long_limit() { echo 21600; }

# All of the fence, and each of its rules (cachelayer/test_point.h): for kernels that need it.
twin_pieces() {
	local rule
	for rule in fence fence_note fence_marker fence_exclusive fence_again; do
		echo twin:$rule:60
	done
}
