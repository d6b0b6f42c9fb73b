/* SPDX-License-Identifier: MIT */
/*
 * What --help and --version say.
 */

#include <stdio.h>

#include "config.h"
#include "options.h"

static const char usage[] =
	"Usage: foldfs [options] SOURCE MOUNTPOINT\n"
	"       mount -t fuse.foldfs SOURCE MOUNTPOINT [-o options]\n"
	"       foldfs --check [SOURCE [MOUNTPOINT]]\n"
	"\n"
	"Serve the directory SOURCE at MOUNTPOINT, through a page cache that lets\n"
	"files be folded while they are mapped.\n"
	"\n"
	"Unmount with 'fusermount3 -u MOUNTPOINT', or as root 'umount MOUNTPOINT'.\n"
	"\n";

static const char long_options[] =
	"Options:\n"
	"  --cache-size=SIZE     memory for cached pages, a hard bound; K, M and G\n"
	"                        may follow the number (default 256M, or half of what\n"
	"                        a memory control group allows; at least 1M, and more\n"
	"                        if there are many threads)\n"
	"  --writeback[=SECONDS] keep written pages in memory until they are this\n"
	"                        old, fsync asks for them, or the file is closed;\n"
	"                        without it every write goes to SOURCE at once\n"
	"                        (default 5 seconds, 1 to 3600)\n"
	"  --threads=N           serve so many requests at the same time, 1 to 256\n"
	"                        (default twice the CPUs, at least 8)\n"
	"  --verify              check a hash of each cached page whenever it is\n"
	"                        used and before it is dropped; and after each range\n"
	"                        operation, that the kernel kept no old page\n"
	"  --watchdog=SECONDS    report a range operation, or the kernel's answer to a\n"
	"                        notification, that takes longer (default 1)\n"
	"  --abort-stuck=SECONDS end the mount if the kernel has not answered one for so\n"
	"                        long: programs that use it get errors, where they\n"
	"                        would wait until somebody kills the daemon\n"
	"                        (default never; 1 to 86400)\n"
	"  --attr-timeout=S      let the kernel keep attributes for so many seconds\n"
	"  --entry-timeout=S     likewise names (default 1 for both); changes made\n"
	"                        in SOURCE show after that, or when a file is opened\n"
	"  --watch[=SECONDS]     be told of changes in SOURCE at once, and let the kernel\n"
	"                        keep attributes, names and listings that long (default\n"
	"                        300); a local file system only\n"
	"  --no-open             have the kernel open and close files by itself, which\n"
	"                        makes reading small ones again several times faster;\n"
	"                        changes made in SOURCE then show as with stat(2), not\n"
	"                        when a file is opened; not with --writeback\n"
	"  --fence=WHEN          before a range operation, wait for what the kernel has\n"
	"                        on its way: auto (default), where the kernel is older\n"
	"                        than 6.16 and writes mapped pages from copies; always\n"
	"  --log-level=LEVEL     error, warning, notice (default), info or debug\n"
	"  -f                    stay in the foreground, log to stderr\n"
	"  -d                    likewise, and show every request\n"
	"  -s                    the same as --threads=1\n"
	"  --check               mount nothing; tell what this kernel and libfuse, and\n"
	"                        SOURCE's file system, can do, and whether all that\n"
	"                        foldfs promises holds here, and why\n"
	"  -h, --help            print this\n"
	"  -V, --version         print the versions of foldfs and libfuse\n"
	"  -o OPTION[,...]       any of the long options above by its name, such as\n"
	"                        -o cache-size=1G,writeback; and mount options:\n"
	"\n";

static const char mount_options[] =
	"Mount options:\n"
	"  ro, rw                read-only or not\n"
	"  allow_other           let other users in, each with his own rights; for a\n"
	"                        daemon that runs as root, or with ro\n"
	"  allow_root            let root in; otherwise as allow_other\n"
	"  noatime, nodiratime   reading leaves no access times in SOURCE\n"
	"  [no]exec              whether programs can be run from the mount\n"
	"  [no]suid, [no]dev     honour set-user-id bits and device nodes (only root\n"
	"                        can; nosuid and nodev unless asked for)\n"
	"  sync                  every write is on disk before the call returns\n"
	"  fsname=NAME           what the list of mounts shows (default SOURCE)\n"
	"  auto_unmount          unmount if foldfs dies\n"
	"  nonempty              mount over a directory that is not empty\n"
	"  remount,OPTIONS       change ro, exec and the like of a mount (root only)\n"
	"  context=C and others  SELinux labels, as for any mount\n";

static const char end[] =
	"\n"
	"Permissions are always checked by the kernel (default_permissions).\n"
	"\n"
	"Exit status: 0 if MOUNTPOINT stands (with -f: ended cleanly), 1 if not,\n"
	"2 if the command line makes no sense. With --check: 0 if every promise\n"
	"holds, 1 if not.\n";

void options_print_help(void)
{
	printf("%s%s%s%s", usage, long_options, mount_options, end);
}

void options_print_version(void)
{
	printf("foldfs %s\nlibfuse %s\n", FOLDFS_VERSION, fuse_pkgversion());
}
