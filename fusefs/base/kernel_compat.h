/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_KERNEL_COMPAT_H
#define FUSEFS_KERNEL_COMPAT_H

/*
 * Numbers of the kernel's that headers of old systems do not have: Debian 11's are of
 * Linux 5.10 and glibc 2.31. Whether the kernel knows them is found out by asking it.
 */

#include <linux/magic.h>
#include <sys/syscall.h>

#ifndef SYS_openat2
#define SYS_openat2 437 /* the same on every architecture */
#endif
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif
#ifndef EXFAT_SUPER_MAGIC
#define EXFAT_SUPER_MAGIC 0x2011BAB0
#endif

#endif
