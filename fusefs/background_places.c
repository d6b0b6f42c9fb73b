/* SPDX-License-Identifier: MIT */
/* How many background requests the kernel has under way at once (Linux
 * fs/fuse/inode.c, process_init_limits(); fs/fuse/control.c). The connection's file that
 * tells can be read once (nonseekable_open() takes pread(2) away, too), so its directory is
 * what is kept open. */

#include "background_places.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* FUSE_DEFAULT_MAX_BACKGROUND */
#define KERNEL_DEFAULT 12

#define LIMIT_FOR_USERS "/sys/module/fuse/parameters/max_user_bgreq"

/* @return 0 if it cannot be read */
static unsigned read_number(int fd)
{
	char text[24];
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return (unsigned)strtoul(text, NULL, 10);
}

void background_places_open(struct daemon *daemon)
{
	char name[64];

	snprintf(name, sizeof(name), "/sys/fs/fuse/connections/%u",
		 minor(daemon->own_dev));
	daemon->background_fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void background_places_close(struct daemon *daemon)
{
	if (daemon->background_fd >= 0)
		close(daemon->background_fd);
	daemon->background_fd = -1;
}

unsigned background_places_limit(void)
{
	const int fd = open(LIMIT_FOR_USERS, O_RDONLY | O_CLOEXEC);
	const unsigned limit = read_number(fd);

	if (fd >= 0)
		close(fd);
	return limit ? limit : KERNEL_DEFAULT;
}

unsigned background_places(const struct daemon *daemon)
{
	const int fd = openat(daemon->background_fd, "max_background",
			      O_RDONLY | O_CLOEXEC);
	unsigned places = read_number(fd);

	if (fd >= 0)
		close(fd);
	if (places)
		return places;
	places = background_places_limit();
	return places < BACKGROUND_PLACES_WANTED ? places : BACKGROUND_PLACES_WANTED;
}
