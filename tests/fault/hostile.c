/* SPDX-License-Identifier: MIT */
/*
 * What a user may do to files of his own in the store, to hold up whoever else comes to
 * them: for neighbours. Begun by root, it goes on as the user until it is killed.
 *
 *   hostile UID leases DIRECTORY   read leases on all files in it, and never let go
 *   hostile UID readahead FILE THREADS PAGES
 *                                  asks for so many pages of the file in each thread, none
 *                                  of which is ever used, and as many longer pieces
 *   hostile UID cat FILE           asks for readahead of a page of each MiB, then reads them
 *   hostile UID open DIRECTORY     all files in it, as many as he may, and keeps them open
 *   hostile UID list DIRECTORY N   opens it so many times, and reads what comes first
 *   hostile UID hold DIRECTORY     its lock: reading it into memory that does not come
 */

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES_BYTES 32768
#define STEP	      (1 << 20)

static void become(const char *uid)
{
	const uid_t id = (uid_t)strtoul(uid, NULL, 10);

	if (setgroups(0, NULL) < 0 || setgid(id) < 0 || setuid(id) < 0)
		err(1, "uid %s", uid);
}

/* Whoever breaks a lease sends a signal, which is not listened to. */
static void take_leases(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	int fd;

	if (!dir)
		err(1, "%s", directory);
	signal(SIGIO, SIG_IGN);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY);
		if (fd < 0 || fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
			err(1, "%s", entry->d_name);
	}
	puts("holding");
	fflush(stdout);
	for (;;)
		pause();
}

/* Pages whose first use waits for somebody who never comes. Only root may have them for
 * the kernel's uses, too. */
static void open_all(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	unsigned n = 0;
	int error = 0;

	if (!dir)
		err(1, "%s", directory);
	while ((entry = readdir(dir)) && error == 0) {
		if (entry->d_name[0] == '.')
			continue;
		if (openat(dirfd(dir), entry->d_name, O_RDONLY) < 0)
			error = errno;
		else
			n++;
	}
	printf("holding %u: %s\n", n, strerror(error));
	fflush(stdout);
	pause();
}

static void list(const char *directory, unsigned times)
{
	char entries[ENTRIES_BYTES];

	for (unsigned i = 0; i < times; i++) {
		const int fd = open(directory, O_RDONLY | O_DIRECTORY);

		if (fd < 0 || syscall(SYS_getdents64, fd, entries, sizeof(entries)) < 0)
			err(1, "%s, %u times", directory, i);
	}
	puts("holding");
	fflush(stdout);
	pause();
}

static void *memory_that_does_not_come(void)
{
	const int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	void *memory = mmap(NULL, ENTRIES_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "mmap");
	range.range.start = (uintptr_t)memory;
	range.range.len = ENTRIES_BYTES;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 ||
	    ioctl(fd, UFFDIO_REGISTER, &range) < 0)
		err(77, "userfaultfd");
	return memory;
}

static void hold(const char *directory, void *memory)
{
	const int fd = open(directory, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		err(1, "%s", directory);
	puts("holding");
	fflush(stdout);
	syscall(SYS_getdents64, fd, memory, ENTRIES_BYTES);
	errx(1, "%s: it came", directory);
}

struct reader {
	int fd;
	unsigned number;
	unsigned pages; /* and as many longer pieces */
};

/* Each at places of his own. */
static void *ask_for_readahead(void *arg)
{
	const struct reader *reader = arg;
	off_t offset = (off_t)reader->number << 32;

	for (unsigned i = 0; i < reader->pages; i++) {
		posix_fadvise(reader->fd, offset, 4096, POSIX_FADV_WILLNEED);
		offset += STEP;
		posix_fadvise(reader->fd, offset, 1 << 18, POSIX_FADV_WILLNEED);
		offset += STEP;
	}
	for (;;)
		pause();
	return NULL;
}

static void read_ahead(const char *file, unsigned threads, unsigned pages)
{
	struct reader *readers = calloc(threads, sizeof(*readers));
	const int fd = open(file, O_RDONLY);
	pthread_attr_t attr;
	pthread_t thread;

	if (fd < 0 || !readers)
		err(1, "%s", file);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (unsigned i = 0; i < threads; i++) {
		readers[i] = (struct reader){fd, i, pages};
		errno = pthread_create(&thread, &attr, ask_for_readahead, &readers[i]);
		if (errno)
			err(1, "thread %u", i);
	}
	puts("holding");
	fflush(stdout);
	for (;;)
		pause();
}

/* By the same thread, so that what it waits for comes behind all that it does not. */
static void read_after_readahead(const char *file)
{
	const int fd = open(file, O_RDONLY);
	struct stat attr;
	char page[4096];
	ssize_t n;

	/* lseek(2) would wait for the operation. */
	if (fd < 0 || fstat(fd, &attr) < 0)
		err(1, "%s", file);
	for (off_t offset = 0; offset < attr.st_size; offset += STEP)
		posix_fadvise(fd, offset, 4096, POSIX_FADV_WILLNEED);
	for (off_t offset = 0; offset < attr.st_size; offset += STEP) {
		n = pread(fd, page, sizeof(page), offset);
		if (n < 0)
			err(1, "%s", file);
		if (write(STDOUT_FILENO, page, (size_t)n) != n)
			err(1, "standard output");
	}
	exit(0);
}

int main(int argc, char *argv[])
{
	void *memory;

	if (argc == 4 && strcmp(argv[2], "leases") == 0) {
		become(argv[1]);
		take_leases(argv[3]);
	} else if (argc == 4 && strcmp(argv[2], "open") == 0) {
		become(argv[1]);
		open_all(argv[3]);
	} else if (argc == 4 && strcmp(argv[2], "hold") == 0) {
		memory = memory_that_does_not_come();
		become(argv[1]);
		hold(argv[3], memory);
	}
	if (argc == 5 && strcmp(argv[2], "list") == 0) {
		become(argv[1]);
		list(argv[3], (unsigned)atoi(argv[4]));
	}
	if (argc == 6 && strcmp(argv[2], "readahead") == 0) {
		become(argv[1]);
		read_ahead(argv[3], (unsigned)atoi(argv[4]), (unsigned)atoi(argv[5]));
	}
	if (argc == 4 && strcmp(argv[2], "cat") == 0) {
		become(argv[1]);
		read_after_readahead(argv[3]);
	}
	errx(2,
	     "usage: hostile UID leases|open|hold DIRECTORY, UID list DIRECTORY N, UID cat FILE, or UID readahead FILE THREADS "
	     "PAGES");
}
