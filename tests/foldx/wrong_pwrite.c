/* SPDX-License-Identifier: MIT */
/*
 * An artificial bug: a write(2) across the end of a file of more than 10000 bytes gets
 * its first byte wrong. Linked into foldx with --wrap, in place of the C library's
 * call.
 */

#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t __real_pwrite64(int fd, const void *bytes, size_t len, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t len, off_t offset);

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t len, off_t offset)
{
	const char wrong = 0;
	struct stat st;
	bool across;
	ssize_t n;

	across = fstat(fd, &st) == 0 && st.st_size > 10000 && offset < st.st_size &&
		 offset + (off_t)len > st.st_size;
	n = __real_pwrite64(fd, bytes, len, offset);
	if (across && n > 0 && __real_pwrite64(fd, &wrong, 1, offset) != 1)
		return -1;
	return n;
}
