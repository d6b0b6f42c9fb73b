/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STORE_FACTS_H
#define FUSEFS_STORE_FACTS_H

/*
 * What the file system of SOURCE is like, tried out on a file without a name; for
 * `foldfs --check`.
 */

#include "store_probe.h"

struct store_facts {
	char type[64]; /* as the list of mounts has it; "" if it cannot be told */
	int tried; /* 0; or why no file could be made there: what follows is unknown */
	struct store_abilities can;
	bool tmpfile; /* O_TMPFILE */
	bool xattrs;  /* user.* */
	bool acls;
	bool birth_times;
	bool handles;	 /* name_to_handle_at(2) */
	char doubt[512]; /* store_doubt.h; "" if identity holds */
};

/**
 * @param source_fd  SOURCE; O_PATH is enough
 * @return 0 or a negative errno: nothing is known then
 */
int store_facts_find(int source_fd, struct store_facts *ret_facts);

#endif
