/* SPDX-License-Identifier: MIT */
/* Files that must not be served. */

#include "shut_files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

struct shut_file {
	struct shift_identity identity;
	uid_t owner;
};

struct shut_files {
	size_t count;
	struct shut_file *file; /* a few, as a rule none */
};

struct shut_files *shut_files_new(void)
{
	return calloc(1, sizeof(struct shut_files));
}

void shut_files_free(struct shut_files *files)
{
	if (!files)
		return;
	free(files->file);
	free(files);
}

int shut_files_add(struct shut_files *files, const struct shift_identity *file,
		   uid_t owner)
{
	struct shut_file *grown =
		realloc(files->file, (files->count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	files->file = grown;
	grown[files->count++] = (struct shut_file){*file, owner};
	return 0;
}

bool shut_files_has(const struct shut_files *files, int fd)
{
	struct stat attr;

	if (!files || files->count == 0)
		return false;
	if (fstat(fd, &attr) < 0)
		return true;
	for (size_t i = 0; i < files->count && S_ISREG(attr.st_mode); i++) {
		const struct shut_file *file = &files->file[i];

		if (file->owner != SHIFT_ANY_OWNER && file->owner != attr.st_uid)
			continue;
		if (shift_identity_is(&file->identity, fd) != 0)
			return true;
	}
	return false;
}
