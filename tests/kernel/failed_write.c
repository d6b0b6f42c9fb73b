/* SPDX-License-Identifier: MIT */
/*
 * What a kernel does with a mapped page after a write(2) to it has failed.
 *
 *   failed_write FILE
 *
 * FILE has a hole of a page at its start, on a file system that has no room left: the
 * write fails with ENOSPC. Prints what the mapping shows after each step; exit status 1
 * if it shows bytes of the failed write, or has lost what was stored after it.
 *
 * On FUSE (seen with libfuse's passthrough_ll on 6.18 and 7.2): fuse_send_write_pages()
 * declares pages of a failed or short WRITE not up to date, and leaves them mapped. So the
 * mapping goes on showing the bytes, a store to it makes __folio_mark_dirty() warn, and
 * the next read(2) of the page reads it anew, over what was stored. Where the daemon has
 * the kernel drop the pages before it answers (held_answer.c), none of this happens.
 *
 *   mount -t tmpfs -o size=1m none SRC; passthrough_ll -o source=SRC,cache=auto MNT
 *   truncate -s 4096 SRC/f; dd if=/dev/zero of=SRC/fill bs=4k; failed_write MNT/f
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE	4096
/* Within the page: where it is written, where it is stored, what is read. */
#define WRITTEN 0
#define STORED	200
#define READ	(PAGE - 1)

int main(int argc, char *argv[])
{
	volatile char *map;
	bool shows, lost;
	char byte;
	int fd;

	if (argc != 2)
		errx(2, "usage: failed_write FILE");
	fd = open(argv[1], O_RDWR);
	if (fd < 0)
		err(2, "%s", argv[1]);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		err(2, "mmap");
	printf("at first: %d\n", map[WRITTEN]);
	if (pwrite(fd, "w", 1, WRITTEN) >= 0)
		errx(2, "the write succeeds: there is room, or no hole");
	printf("pwrite: %s\n", strerror(errno));
	shows = map[WRITTEN] == 'w';
	printf("then: %d%s\n", map[WRITTEN], shows ? ", of the write that failed" : "");
	map[STORED] = 's';
	if (pread(fd, &byte, 1, READ) != 1)
		err(2, "pread");
	lost = map[STORED] != 's';
	printf("after a store and a read of the page: %d%s\n", map[STORED],
	       lost ? ", the store is lost" : "");
	return shows || lost;
}
