/* SPDX-License-Identifier: MIT */

/*
 * libfoldfs-preload.so: unmodified programs' collapse, insert and zero, on a foldfs mount.
 *
 *	LD_PRELOAD=/path/to/libfoldfs-preload.so fallocate -c -o 4096 -l 4096 FILE
 *
 * The kernel refuses FALLOC_FL_COLLAPSE_RANGE and FALLOC_FL_INSERT_RANGE for every FUSE
 * file system with EOPNOTSUPP, without asking it; before 5.14 FALLOC_FL_ZERO_RANGE, too.
 * So each fallocate is first put to the kernel, as if we were not here, and only if it
 * says EOPNOTSUPP to exactly one of these three do we look whether foldfs serves the
 * file, and ask there. That order has
 * three merits. The errors that fallocate(2) finds by itself (EBADF on a descriptor
 * that is not open for writing, EINVAL, EPERM, ETXTBSY, ESPIPE, ENODEV, EFBIG) come
 * from the kernel in the kernel's order. Everything else passes through at the price of
 * one comparison. And nothing about a mount needs remembering: device numbers are used
 * again by later mounts, so a cache keyed by them would have to be wrong some day.
 *
 * No allocation, no lock, no state but a pointer that is set once: safe in signal
 * handlers and between threads. A program that makes the system call by itself, without
 * the C library, is not seen here.
 */

/* Both symbols are defined below, each with its own type: the macro that makes one the
 * other's name would be in the way. */
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <stdatomic.h>

#include <foldfs.h>

typedef int fallocate64_fn(int fd, int mode, off64_t offset, off64_t len);

/* The next fallocate64 in search order: the C library's, or another shim's. */
static _Atomic(fallocate64_fn *) next_fallocate64;

/*
 * dlsym(3) may not be called in a signal handler, so the symbol is looked up while the
 * program starts. A constructor of another library may still come before this one.
 */
__attribute__((constructor)) static void find_next(void)
{
	/* ISO C has no conversion from an object pointer to a function pointer. */
	union {
		void *object;
		fallocate64_fn *function;
	} found;

	found.object = dlsym(RTLD_NEXT, "fallocate64");
	atomic_store_explicit(&next_fallocate64, found.function, memory_order_release);
}

static int ask_kernel(int fd, int mode, off64_t offset, off64_t len)
{
	fallocate64_fn *next =
		atomic_load_explicit(&next_fallocate64, memory_order_acquire);

	if (!next) {
		find_next();
		next = atomic_load_explicit(&next_fallocate64, memory_order_acquire);
	}
	if (!next) {
		errno = ENOSYS;
		return -1;
	}
	return next(fd, mode, offset, len);
}

/* NULL: not for us */
static const char *control_attribute(int mode)
{
	switch (mode) {
	case FALLOC_FL_COLLAPSE_RANGE:
		return FOLDFS_XATTR_COLLAPSE;
	case FALLOC_FL_INSERT_RANGE:
		return FOLDFS_XATTR_INSERT;
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
		return FOLDFS_XATTR_ZERO;
	default:
		return NULL;
	}
}

static int intercepted(int fd, int mode, off64_t offset, off64_t len)
{
	const int saved_errno = errno;
	const char *name;
	int done;

	done = ask_kernel(fd, mode, offset, len);
	if (done == 0 || errno != EOPNOTSUPP)
		return done;

	name = control_attribute(mode);
	if (!name)
		return done;

	errno = saved_errno;
	done = foldfs_impl_range(fd, name, offset, len);
	if (done > 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	/* The attribute leaves the size alone. */
	if (done == 0 && mode == FALLOC_FL_ZERO_RANGE)
		done = ask_kernel(fd, 0, offset, len);
	return done;
}

__attribute__((visibility("default"))) int fallocate(int fd, int mode, off_t offset,
						     off_t len)
{
	return intercepted(fd, mode, offset, len);
}

__attribute__((visibility("default"))) int fallocate64(int fd, int mode, off64_t offset,
						       off64_t len)
{
	return intercepted(fd, mode, offset, len);
}
