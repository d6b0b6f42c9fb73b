/* SPDX-License-Identifier: MIT */
/* A claim on SOURCE; see the header. */

#include "source_claim.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

/* @return bytes of the address */
static socklen_t address_of(const struct stat *attr, struct sockaddr_un *ret_address)
{
	int n;

	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	/* Abstract: the first byte is 0. */
	n = snprintf(ret_address->sun_path + 1, sizeof(ret_address->sun_path) - 1,
		     "foldfs/%u:%u/%ju", major(attr->st_dev), minor(attr->st_dev),
		     (uintmax_t)attr->st_ino);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

void source_claim(int source_fd, const char *source)
{
	struct sockaddr_un address;
	struct stat attr;
	socklen_t len;
	int fd;

	if (fstat(source_fd, &attr) < 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	len = address_of(&attr, &address);
	/* Bound, and kept open by nobody's name: it goes when we do. */
	if (bind(fd, (const struct sockaddr *)&address, len) == 0)
		return;
	if (errno == EADDRINUSE)
		log_msg(LOG_WARNING,
			"SOURCE %s: another foldfs serves it already; each has caches of "
			"its own, and sees what is done on the other mount as a change "
			"behind its own, late",
			source);
	close(fd);
}
