/* SPDX-License-Identifier: MIT */
/*
 * Faults pages of a file in through a shared mapping, over and over:
 *
 *	toucher FILE PAGES
 *
 * It says "ready" when it has had each of them once, and lets go of all of them after
 * each round, so there is nearly always a READ under way. It ends by a signal: SIGBUS
 * when the file is gone.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_SIZE ((size_t)4096)

static void touch(const volatile char *mapping, size_t npages)
{
	for (size_t i = 0; i < npages; i++)
		(void)mapping[i * PAGE_SIZE];
}

int main(int argc, char **argv)
{
	const size_t npages = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	const size_t len = npages * PAGE_SIZE;
	void *mapping;
	int fd;

	if (npages == 0) {
		fputs("usage: toucher FILE PAGES\n", stderr);
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	mapping = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (mapping == MAP_FAILED) {
		perror(argv[1]);
		return 2;
	}
	touch(mapping, npages);
	puts("ready");
	fflush(stdout);
	for (;;) {
		madvise(mapping, len, MADV_DONTNEED);
		posix_fadvise(fd, 0, (off_t)len, POSIX_FADV_DONTNEED);
		touch(mapping, npages);
	}
}
