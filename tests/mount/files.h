/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MOUNT_FILES_H
#define TESTS_MOUNT_FILES_H

/*
 * Files with known bytes, mappings of them, faults that are caught, other processes.
 */

#include "mount_test.h"

#include <sys/mman.h>
#include <time.h>

#define KIB  ((size_t)1 << 10)
#define MIB  ((size_t)1 << 20)
#define TIB  ((off_t)1 << 40)
#define PAGE ((size_t)4096)

/* ------------------------------------------------------------------- bytes */

/** The byte that belongs at an offset of a file with this seed. Never 0. */
unsigned char byte_at(unsigned seed, off_t offset);

/** A new file with `size` such bytes, open for reading and writing. */
int make_file(const char *name, size_t size, unsigned seed);

/** A new file with this text. */
void make_text(const char *name, const char *text);

/** Write bytes of a seed at an offset, all of them. */
void put_bytes(int fd, off_t offset, size_t len, unsigned seed);

/** The file holds the bytes of a seed, or zeros, in that range. */
void has_bytes(int fd, off_t offset, size_t len, unsigned seed);
void has_zeros(int fd, off_t offset, size_t len);
void memory_has_bytes(const void *memory, off_t offset, size_t len, unsigned seed);
void memory_has_zeros(const void *memory, size_t len);

/** The file's whole content is this text. Opens it by name. */
void has_text(const char *name, const char *text);

/** pread and pwrite that move all of it or fail the test. */
void read_all(int fd, void *buf, size_t len, off_t offset);
void write_all(int fd, const void *buf, size_t len, off_t offset);

/**
 * Whether a program here can ask for FALLOC_FL_ZERO_RANGE. There are kernels that refuse
 * it for every FUSE file system and ask no daemon (5.10: fuse_file_fallocate()). Whether
 * it was the kernel cannot be told from here: on one that is known to pass it on, as
 * that of CI, whoever skips a test for this has failed.
 */
bool kernel_passes_zero_range(void);
/** Skips this test where it does not. */
void needs_zero_range(void);

/** Whether the kernel is that release, or later. */
bool kernel_is(unsigned major, unsigned minor);

/* -------------------------------------------------------------- attributes */

off_t size_of(const char *name);
struct stat stat_of(const char *name);
struct stat lstat_of(const char *name);
struct stat fstat_of(int fd);

bool exists(const char *name);
/** a is later than b. */
bool later(struct timespec a, struct timespec b);
bool same_time(struct timespec a, struct timespec b);
void sleep_ms(unsigned ms);

/* ---------------------------------------------------------------- mappings */

/** Map `len` bytes from the start: shared and writable, shared and readable, private.
 */
char *map_shared(int fd, size_t len);
char *map_readonly(int fd, size_t len);
char *map_private(int fd, size_t len);

/** Whether a load from (a store to) this address raises SIGBUS. */
bool load_faults(const volatile char *address);
bool store_faults(volatile char *address);
/** Likewise, and the byte that was there. */
bool load_faults_or(const volatile char *address, unsigned char *ret_byte);

/* --------------------------------------------------------------- counters */

/** A number of the whole mount, by its name in user.foldfs.stats. */
unsigned long mount_counter(const char *name);

/* --------------------------------------------------------- other processes */

/** Run fn in a process of its own; its failed assertions are this test's. */
pid_t start(void (*fn)(void *arg), void *arg);
/** Wait for it, and fail this test if it failed. */
void finish(pid_t child);
/** Both. */
void elsewhere(void (*fn)(void *arg), void *arg);
/** Likewise as somebody else; root only. No supplementary groups. */
void as_somebody(uid_t uid, gid_t gid, void (*fn)(void *arg), void *arg);

/** A rendezvous between processes: each tell() lets one await() return. */
struct signal_box {
	int fds[2];
};
struct signal_box make_signal_box(void);
void tell(struct signal_box *box);
void await(struct signal_box *box);

#endif
