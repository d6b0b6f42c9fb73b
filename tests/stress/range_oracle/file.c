/* SPDX-License-Identifier: MIT */

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <foldfs.h>

#define FILE_NAME "range_oracle.file"

__attribute__((noreturn)) static void give_up(const char *doing, const char *what)
{
	fprintf(stderr, "range_oracle: cannot %s %s: %s\n", doing, what,
		strerror(errno));
	exit(2);
}

/* A name of the file. */
struct name {
	char path[PATH_MAX];
};

/* The name by which a process opens it: with --links each has one of its own. */
static struct name name_for(const struct settings *settings, unsigned process)
{
	struct name name;

	if (settings->links && process > 0)
		snprintf(name.path, sizeof(name.path), "%s/%s.link%u",
			 settings->directory, FILE_NAME, process);
	else
		snprintf(name.path, sizeof(name.path), "%s/%s", settings->directory,
			 FILE_NAME);
	return name;
}

/* Testing the wrong file system is worse than testing none. */
static void check_where(const struct settings *settings)
{
	const int fd = open(settings->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const int served = fd < 0 ? -1 : foldfs_is_mount(fd);

	if (served < 0)
		give_up("use", settings->directory);
	close(fd);
	if (served > 0 && settings->native)
		fprintf(stderr, "range_oracle: %s is on foldfs: leave out --native\n",
			settings->directory);
	else if (served == 0 && !settings->native)
		fprintf(stderr,
			"range_oracle: %s is not on foldfs: mount it, or test its own "
			"file system with --native\n",
			settings->directory);
	else
		return;
	exit(2);
}

static void open_view(const struct settings *settings, unsigned process,
		      struct view *view)
{
	const struct name first = name_for(settings, 0);
	const struct name name = name_for(settings, process);

	if (settings->links && process > 0 && link(first.path, name.path) < 0)
		give_up("link", name.path);
	view->fd = open(name.path, O_RDWR | O_CLOEXEC);
	if (view->fd < 0)
		give_up("open", name.path);
	view->direct_fd = open(name.path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (view->direct_fd < 0 && errno != EINVAL)
		give_up("open for direct reading", name.path);
}

void file_create(const struct settings *settings, struct test_file *ret_file)
{
	const struct name name = name_for(settings, 0);
	struct test_file file = {.nviews = settings->processes};
	int fd;

	check_where(settings);
	file_remove(settings);
	fd = open(name.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		give_up("create", name.path);
	if (ftruncate(fd, (off_t)settings->pages * ORACLE_PAGE_SIZE) < 0)
		give_up("size", name.path);
	close(fd);
	for (unsigned p = 0; p < file.nviews; p++)
		open_view(settings, p, &file.views[p]);
	if (file.views[0].direct_fd < 0)
		printf("no O_DIRECT here: those reads are left out\n");
	if (settings->unlinked)
		file_remove(settings);
	if (settings->store &&
	    asprintf(&file.store_path, "%s/%s", settings->store, FILE_NAME) < 0)
		give_up("name", settings->store);
	*ret_file = file;
}

int file_map(struct view *view, uint32_t max_pages)
{
	const size_t len = (size_t)max_pages * ORACLE_PAGE_SIZE;
	void *shared, *private;

	shared = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, view->fd, 0);
	private = mmap(NULL, len, PROT_READ, MAP_PRIVATE, view->fd, 0);
	if (shared == MAP_FAILED || private == MAP_FAILED)
		return -1;
	view->shared = shared;
	view->private = private;
	return 0;
}

void file_remove(const struct settings *settings)
{
	for (unsigned p = 0; p < PROCESSES_MAX; p++)
		unlink(name_for(settings, p).path);
}
