/* SPDX-License-Identifier: MIT */
/*
 * One WRITE of one page, held where the fence has to find it, while page 0 of the file
 * is collapsed. Then all is let go, and each page is looked at.
 *
 *   fence_scenes SCENE DIRECTORY HOLDS
 *
 * DIRECTORY is on a mount of a daemon that `fence` has started with holds in the
 * directory HOLDS. The scenes:
 *
 *   taken       a thread has taken the WRITE, and has not come to the gate with it
 *   waiting     it waits in the kernel for a place that another file's WRITE has
 *   auxiliary   it is in the gate, and another one of the same page waits for it in the
 * kernel overtaken   the same, and it is answered once the marker is on its way
 *   unanswered  the same, and the store has it, but it is not answered
 *
 * A page that is stored to again while its WRITE is on its way makes the second one. A
 * store through the mapping cannot: it waits in the kernel for the first
 * (fuse_page_mkwrite()). Whoever has pinned the page can, be it a device or, here,
 * process_vm_writev(2), which is held after it has pinned the page, by a source that is
 * not there yet (userfaultfd(2)).
 *
 * Exit status 0: all is where it belongs; 1: it is not; 2: the scene could not be set;
 * 77: this machine does not let us.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <foldfs.h>

#define PAGE	4096u
#define PAGES	16u
#define WORDS	(PAGE / sizeof(uint32_t))
/* The page that is stored to, and what is stored. */
#define VICTIM	5u
#define FIRST	1000u
#define SECOND	2000u
/* Nobody waits for longer. */
#define LIMIT_S 120

static const char *holds, *directory;
static unsigned connection;
static int fd;
static uint32_t *map;

__attribute__((format(printf, 2, 3), noreturn)) static void
give_up(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(errno));
	/* Whoever stands still is let go by `fence`. */
	_exit(status);
}

/* ------------------------------------------------------------------------- holds */

static bool is_held(const char *place)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", holds, place);
	return access(path, F_OK) == 0;
}

static void let_go(const char *place)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", holds, place);
	if (unlink(path) < 0 && errno != ENOENT)
		give_up(2, "%s", path);
}

static void hold(const char *place)
{
	char path[4096];
	int file;

	snprintf(path, sizeof(path), "%s/%s", holds, place);
	file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (file < 0)
		give_up(2, "%s", path);
	close(file);
}

static void await(const char *what, bool (*is_so)(const void *arg), const void *arg)
{
	for (unsigned ms = 0; !is_so(arg); ms++) {
		if (ms == LIMIT_S * 1000)
			give_up(2, "it never came to this: %s", what);
		usleep(1000);
	}
}

static bool place_is_held(const void *arg)
{
	return is_held(arg);
}

static void await_held(const char *place)
{
	await(place, place_is_held, place);
}

/* ------------------------------------------------------------------------- files */

static void fill(uint32_t *words, uint32_t number)
{
	for (size_t i = 0; i < WORDS; i++)
		words[i] = number;
}

/* In each page its own number, everywhere. All of it is mapped, so that nothing has to
 * be read later. */
static int open_numbered(const char *name, uint32_t **ret_map)
{
	char path[4096];
	uint32_t words[WORDS];
	int file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file < 0)
		give_up(2, "%s", path);
	for (uint32_t page = 0; page < PAGES; page++) {
		fill(words, page);
		if (pwrite(file, words, PAGE, page * PAGE) != PAGE)
			give_up(2, "%s: write", path);
	}
	*ret_map =
		mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (*ret_map == MAP_FAILED)
		give_up(2, "%s: mmap", path);
	for (uint32_t page = 0; page < PAGES; page++)
		(void)*(volatile uint32_t *)&(*ret_map)[page * WORDS];
	return file;
}

/* Each dirty page is copied, and a WRITE of it is sent or kept. That is not waited for.
 */
static void write_back(int file)
{
	if (sync_file_range(file, 0, PAGES * PAGE,
			    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				    SYNC_FILE_RANGE_WAIT_AFTER) < 0)
		give_up(2, "sync_file_range");
}

/* ---------------------------------------------------------------------- the pinner */

static struct {
	pthread_t thread;
	int uffd;
	char *source;
} pinner;

static void *write_to_pinned(void *arg)
{
	struct iovec from = {pinner.source, PAGE};
	struct iovec to = {map + VICTIM * WORDS, PAGE};

	(void)arg;
	if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) != PAGE)
		give_up(2, "process_vm_writev");
	return NULL;
}

/* The page is pinned, with leave to write, before the source is looked at. */
static void pin_victim(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	struct uffd_msg fault;

	pinner.uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (pinner.uffd < 0)
		give_up(77, "userfaultfd");
	pinner.source = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range = (struct uffdio_range){(uintptr_t)pinner.source, PAGE};
	if (ioctl(pinner.uffd, UFFDIO_API, &api) < 0 ||
	    ioctl(pinner.uffd, UFFDIO_REGISTER, &range) < 0)
		give_up(2, "userfaultfd");
	if (pthread_create(&pinner.thread, NULL, write_to_pinned, NULL) != 0)
		give_up(2, "pthread_create");
	if (read(pinner.uffd, &fault, sizeof(fault)) != sizeof(fault))
		give_up(2, "userfaultfd: read");
}

/* What was pinned is written to, and is dirty, without asking the file system. */
static void write_pinned(uint32_t number)
{
	uint32_t words[WORDS];
	struct uffdio_copy copy = {
		.dst = (uintptr_t)pinner.source, .src = (uintptr_t)words, .len = PAGE};

	fill(words, number);
	if (ioctl(pinner.uffd, UFFDIO_COPY, &copy) < 0)
		give_up(2, "userfaultfd: copy");
	pthread_join(pinner.thread, NULL);
	close(pinner.uffd);
}

/* -------------------------------------------------------------------- the collapse */

static struct {
	pthread_t thread;
	_Atomic bool is_over;
} operation;

/* EBUSY leaves everything as it was. */
static void *collapse(void *arg)
{
	(void)arg;
	while (foldfs_collapse_range(fd, 0, PAGE) < 0)
		if (errno != EBUSY)
			give_up(2, "collapse");
	operation.is_over = true;
	return NULL;
}

static void start_collapse(void)
{
	if (pthread_create(&operation.thread, NULL, collapse, NULL) != 0)
		give_up(2, "pthread_create");
}

/* It comes to `changed`, now or later, and may be there already. */
static void end_collapse(void)
{
	while (!operation.is_over) {
		let_go("changed");
		usleep(1000);
	}
	pthread_join(operation.thread, NULL);
}

static bool waits_for_requests(const void *arg)
{
	static char stats[1 << 16];
	const ssize_t len =
		getxattr(directory, "user.foldfs.stats", stats, sizeof(stats) - 1);

	(void)arg;
	if (len < 0)
		give_up(2, "statistics");
	stats[len] = '\0';
	return strstr(stats, "waiting for requests to end") != NULL;
}

/* Either the store has been changed, as a rule is left out, or the fence is at this
 * place, as it is not. */
static bool changed_or_held(const void *arg)
{
	return is_held("changed") || is_held(arg);
}

static bool changed_or_waits(const void *arg)
{
	return is_held("changed") || waits_for_requests(arg);
}

/* ---------------------------------------------------------------------- the scenes */

static uint32_t scene_taken(void)
{
	fill(map + VICTIM * WORDS, FIRST);
	write_back(fd);
	await_held("taken");
	start_collapse();
	await("the fence", changed_or_held, "awaiting");
	let_go("awaiting");
	let_go("taken");
	return FIRST;
}

static void set_places(unsigned places)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/max_background",
		 connection);
	file = fopen(path, "w");
	if (!file || fprintf(file, "%u\n", places) < 0 || fclose(file) != 0)
		give_up(2, "%s", path);
}

static uint32_t scene_waiting(void)
{
	uint32_t *other_map;
	const int other = open_numbered("other", &other_map);

	/* A READ would need a place, too. */
	fill(other_map, FIRST);
	fill(map + VICTIM * WORDS, FIRST);
	set_places(1);
	write_back(other);
	await_held("answering");
	write_back(fd);
	start_collapse();
	await("the fence", changed_or_held, "places");
	/* In this order: with more places than before the kernel sends what waits when
	 * the next request ends, and not at once. */
	let_go("answering");
	await_held("left");
	let_go("left");
	set_places(64);
	let_go("places");
	return FIRST;
}

/* WRITE 5 has been written and stands in the gate, or has just left it, and a second
 * one is kept by the kernel until the first is answered. */
static void make_auxiliary(void)
{
	fill(map + VICTIM * WORDS, FIRST);
	pin_victim();
	write_back(fd);
	await_held("answering");
	write_pinned(SECOND);
	write_back(fd);
}

static uint32_t scene_auxiliary(void)
{
	make_auxiliary();
	start_collapse();
	await("EXCLUSIVE", waits_for_requests, NULL);
	let_go("answering");
	return SECOND;
}

static uint32_t scene_unanswered(void)
{
	make_auxiliary();
	start_collapse();
	await("EXCLUSIVE, or a change", changed_or_waits, NULL);
	let_go("answering");
	return SECOND;
}

/* The marker has been taken, and the fence has not heard of it, while the first WRITE
 * is answered and leaves. Nobody takes the second one before the fence has. */
static uint32_t scene_overtaken(void)
{
	make_auxiliary();
	start_collapse();
	await_held("marked");
	hold("looking");
	let_go("answering");
	await_held("left");
	let_go("left");
	let_go("marked");
	await("the fence, once more", changed_or_held, "asking");
	let_go("looking");
	let_go("asking");
	return SECOND;
}

static const struct {
	const char *name;
	uint32_t (*run)(void); /* @return what was stored last */
} scenes[] = {
	{"taken", scene_taken},		  {"waiting", scene_waiting},
	{"auxiliary", scene_auxiliary},	  {"overtaken", scene_overtaken},
	{"unanswered", scene_unanswered},
};

/* ---------------------------------------------------------------------- the verdict */

static bool page_is(const uint32_t *words, uint32_t number, uint32_t page,
		    const char *how)
{
	for (size_t i = 0; i < WORDS; i++)
		if (words[i] != number) {
			printf("wrong: page %u, word %zu, %s: %u, and not %u\n", page,
			       i, how, words[i], number);
			return false;
		}
	return true;
}

static bool all_is_right(uint32_t stored)
{
	uint32_t words[WORDS];
	bool right = true;

	for (uint32_t page = 0; page < PAGES - 1; page++) {
		const uint32_t number = page + 1 == VICTIM ? stored : page + 1;

		right &= page_is(map + page * WORDS, number, page, "mapped");
		if (pread(fd, words, PAGE, page * PAGE) != PAGE)
			give_up(2, "read");
		right &= page_is(words, number, page, "read");
	}
	return right;
}

int main(int argc, char **argv)
{
	uint32_t stored = 0;
	struct stat attr;

	if (argc != 4)
		give_up(2, "usage: fence_scenes SCENE DIRECTORY HOLDS");
	directory = argv[2];
	holds = argv[3];
	if (stat(directory, &attr) < 0)
		give_up(2, "%s", directory);
	connection = minor(attr.st_dev);
	fd = open_numbered("file", &map);
	for (size_t i = 0; i < sizeof(scenes) / sizeof(*scenes); i++)
		if (strcmp(scenes[i].name, argv[1]) == 0)
			stored = scenes[i].run();
	if (stored == 0)
		give_up(2, "there is no scene '%s'", argv[1]);
	end_collapse();
	/* What is on its way comes; what was kept is not asked for again. */
	if (fsync(fd) < 0)
		give_up(2, "fsync");
	if (!all_is_right(stored))
		return 1;
	puts("right");
	return 0;
}
