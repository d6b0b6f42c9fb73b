/* SPDX-License-Identifier: MIT */
/* How many background requests the kernel has under way at once (Linux
 * fs/fuse/inode.c, process_init_limits(); fs/fuse/control.c). */

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
	const ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return (unsigned)strtoul(text, NULL, 10);
}

void background_places_open(struct daemon *daemon)
{
	char name[64];

	snprintf(name, sizeof(name), "/sys/fs/fuse/connections/%u/max_background",
		 minor(daemon->own_dev));
	daemon->background_fd = open(name, O_RDONLY | O_CLOEXEC);
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
	unsigned places = read_number(daemon->background_fd);

	if (places)
		return places;
	places = background_places_limit();
	return places < BACKGROUND_PLACES_WANTED ? places : BACKGROUND_PLACES_WANTED;
}
