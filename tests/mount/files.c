/* SPDX-License-Identifier: MIT */
/*
 * Files with known bytes, mappings of them, faults that are caught, other processes.
 *
 * A byte depends on its offset and on the file's seed, so that a page which shows up at
 * a wrong index, or in a wrong file, is seen; it is never 0, so that a hole is seen
 * too.
 */

#include "files.h"

#include <grp.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>

unsigned char byte_at(unsigned seed, off_t offset)
{
	const uint64_t x =
		((uint64_t)offset + 1) * 0x9e3779b97f4a7c15u + seed * 2654435761u;

	return (unsigned char)(1 + (x >> 32) % 255);
}

static char *bytes_of(unsigned seed, off_t offset, size_t len)
{
	unsigned char *bytes = malloc(len + 1);

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = byte_at(seed, offset + (off_t)i);
	return (char *)bytes;
}

void write_all(int fd, const void *buf, size_t len, off_t offset)
{
	while (len > 0) {
		const ssize_t n = ok(pwrite(fd, buf, len, offset));

		buf = (const char *)buf + n;
		len -= (size_t)n;
		offset += n;
	}
}

void read_all(int fd, void *buf, size_t len, off_t offset)
{
	while (len > 0) {
		const ssize_t n = ok(pread(fd, buf, len, offset));

		ck_assert_msg(n > 0, "end of file at %lld, %zu bytes early",
			      (long long)offset, len);
		buf = (char *)buf + n;
		len -= (size_t)n;
		offset += n;
	}
}

void put_bytes(int fd, off_t offset, size_t len, unsigned seed)
{
	char *bytes = bytes_of(seed, offset, len);

	write_all(fd, bytes, len, offset);
	free(bytes);
}

int make_file(const char *name, size_t size, unsigned seed)
{
	const int fd = ok(open(name, O_RDWR | O_CREAT | O_EXCL, 0644));

	put_bytes(fd, 0, size, seed);
	return fd;
}

void make_text(const char *name, const char *text)
{
	const int fd = ok(open(name, O_WRONLY | O_CREAT | O_EXCL, 0644));

	write_all(fd, text, strlen(text), 0);
	ok(close(fd));
}

/* An assertion that holds costs a system call in Check: none in these loops. */

void memory_has_bytes(const void *memory, off_t offset, size_t len, unsigned seed)
{
	const unsigned char *bytes = memory;

	for (size_t i = 0; i < len; i++)
		if (bytes[i] != byte_at(seed, offset + (off_t)i))
			ck_abort_msg("byte %lld of the file is %#x, expected %#x",
				     (long long)offset + (long long)i, bytes[i],
				     byte_at(seed, offset + (off_t)i));
}

void memory_has_zeros(const void *memory, size_t len)
{
	const unsigned char *bytes = memory;

	for (size_t i = 0; i < len; i++)
		if (bytes[i] != 0)
			ck_abort_msg("byte %zu is %#x, expected 0", i, bytes[i]);
}

void has_bytes(int fd, off_t offset, size_t len, unsigned seed)
{
	char *buf = malloc(len + 1);

	ck_assert_ptr_nonnull(buf);
	read_all(fd, buf, len, offset);
	memory_has_bytes(buf, offset, len, seed);
	free(buf);
}

void has_zeros(int fd, off_t offset, size_t len)
{
	char *buf = malloc(len + 1);

	ck_assert_ptr_nonnull(buf);
	read_all(fd, buf, len, offset);
	memory_has_zeros(buf, len);
	free(buf);
}

void has_text(const char *name, const char *text)
{
	const int fd = ok(open(name, O_RDONLY));
	char buf[4096];
	const ssize_t n = ok(read(fd, buf, sizeof(buf) - 1));

	buf[n] = '\0';
	ok(close(fd));
	ck_assert_str_eq(buf, text);
}

bool kernel_is(unsigned major, unsigned minor)
{
	struct utsname name;
	unsigned have[2];

	ok(uname(&name));
	ck_assert_int_eq(sscanf(name.release, "%u.%u", &have[0], &have[1]), 2);
	return have[0] != major ? have[0] > major : have[1] >= minor;
}

bool kernel_passes_zero_range(void)
{
	const int mode = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
	const int fd = make_file("zero-range", PAGE, 1);
	const bool refused = fallocate(fd, mode, 0, PAGE) == -1 && errno == EOPNOTSUPP;

	ok(close(fd));
	ok(unlink("zero-range"));
	return !refused || !on_foldfs();
}

void needs_zero_range(void)
{
	if (!kernel_passes_zero_range())
		skip("this kernel passes no FALLOC_FL_ZERO_RANGE on to a FUSE file system");
}

/* -------------------------------------------------------------- attributes */

struct stat stat_of(const char *name)
{
	struct stat st;

	ok(stat(name, &st));
	return st;
}

struct stat lstat_of(const char *name)
{
	struct stat st;

	ok(lstat(name, &st));
	return st;
}

struct stat fstat_of(int fd)
{
	struct stat st;

	ok(fstat(fd, &st));
	return st;
}

off_t size_of(const char *name)
{
	return stat_of(name).st_size;
}

bool exists(const char *name)
{
	struct stat st;

	if (lstat(name, &st) == 0)
		return true;
	ck_assert_msg(errno == ENOENT, "lstat(%s): %s", name, strerror(errno));
	return false;
}

bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

void sleep_ms(unsigned ms)
{
	struct timespec left = {.tv_sec = ms / 1000,
				.tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) == -1 && errno == EINTR)
		;
}

/* ---------------------------------------------------------------- mappings */

char *map_shared(int fd, size_t len)
{
	return ok(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}

char *map_readonly(int fd, size_t len)
{
	return ok(mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0));
}

char *map_private(int fd, size_t len)
{
	return ok(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
}

static sigjmp_buf fault_exit;
static unsigned char *loaded; /* where the byte goes that a load finds */

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(fault_exit, 1);
}

static bool access_faults(volatile char *address, bool store)
{
	struct sigaction action = {.sa_handler = on_fault}, before;
	volatile bool faulted = false;

	ok(sigaction(SIGBUS, &action, &before));
	if (sigsetjmp(fault_exit, 1) != 0)
		faulted = true;
	else if (store)
		*address = 'x';
	else
		*loaded = (unsigned char)*address;
	ok(sigaction(SIGBUS, &before, NULL));
	return faulted;
}

bool load_faults_or(const volatile char *address, unsigned char *ret_byte)
{
	loaded = ret_byte;
	return access_faults((volatile char *)(uintptr_t)address, false);
}

bool load_faults(const volatile char *address)
{
	unsigned char ignored;

	return load_faults_or(address, &ignored);
}

bool store_faults(volatile char *address)
{
	return access_faults(address, true);
}

/* --------------------------------------------------------- other processes */

pid_t start(void (*fn)(void *arg), void *arg)
{
	const pid_t child = ok(fork());

	if (child == 0) {
		fn(arg);
		_exit(0);
	}
	return child;
}

/* The child has already told Check what failed; an assertion here would hide it. */
void finish(pid_t child)
{
	int status;

	ok(waitpid(child, &status, 0));
	ck_assert_msg(!WIFSIGNALED(status), "a process of the test died of signal %d",
		      WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		exit(WEXITSTATUS(status));
}

void elsewhere(void (*fn)(void *arg), void *arg)
{
	finish(start(fn, arg));
}

void as_somebody(uid_t uid, gid_t gid, void (*fn)(void *arg), void *arg)
{
	const pid_t child = ok(fork());

	if (child == 0) {
		ok(setgroups(0, NULL));
		ok(setresgid(gid, gid, gid));
		ok(setresuid(uid, uid, uid));
		fn(arg);
		_exit(0);
	}
	finish(child);
}

struct signal_box make_signal_box(void)
{
	struct signal_box box;

	ok(pipe(box.fds));
	return box;
}

void tell(struct signal_box *box)
{
	ck_assert_int_eq(ok(write(box->fds[1], "!", 1)), 1);
}

void await(struct signal_box *box)
{
	char c;

	ck_assert_int_eq(ok(read(box->fds[0], &c, 1)), 1);
}

/* --------------------------------------------------------------- counters */

unsigned long mount_counter(const char *name)
{
	char json[8192], key[64];
	const char *at;
	const ssize_t n = ok(getxattr(getenv("FOLDFS_TEST_DIR"), "user.foldfs.stats",
				      json, sizeof(json) - 1));

	json[n] = '\0';
	snprintf(key, sizeof(key), "\"%s\":", name);
	at = strstr(json, key);
	ck_assert_msg(at != NULL, "no %s in %s", name, json);
	return strtoul(at + strlen(key), NULL, 10);
}
