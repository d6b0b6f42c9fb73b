/* SPDX-License-Identifier: MIT */
/*
 * Requests that stand still; see the header.
 */

#include "request_hold.h"

#ifdef FOLDFS_TEST_POINTS

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLL_US 1000

static const char *const names[REQUEST_HOLD_COUNT] = {
#define REQUEST_HOLD_NAME(name) #name,
	REQUEST_HOLDS(REQUEST_HOLD_NAME)
#undef REQUEST_HOLD_NAME
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
/* Set once. */
static struct {
	const char *file;      /* NULL: nobody waits here */
	unsigned long ordinal; /* of the thread that does; 0: everybody */
} holds[REQUEST_HOLD_COUNT];

static _Atomic unsigned long passed[REQUEST_HOLD_COUNT];

__attribute__((noreturn)) static void refuse(const char *what)
{
	fprintf(stderr, "FOLDFS_HOLD: '%s' is no PLACE[=N]:FILE\n", what);
	abort();
}

/* PLACE[=N]:FILE, which is kept. */
static void read_hold(char *text)
{
	char *file = strchr(text, ':'), *number;
	unsigned place = 0;

	if (!file)
		refuse(text);
	*file++ = '\0';
	number = strchr(text, '=');
	if (number)
		*number++ = '\0';
	while (place < REQUEST_HOLD_COUNT && strcmp(names[place], text) != 0)
		place++;
	if (place == REQUEST_HOLD_COUNT)
		refuse(text);
	holds[place].file = file;
	holds[place].ordinal = number ? strtoul(number, NULL, 10) : 1;
}

static void read_environment(void)
{
	const char *wish = getenv("FOLDFS_HOLD");
	char *rest = wish ? strdup(wish) : NULL, *hold;

	while ((hold = strsep(&rest, ",")))
		if (*hold)
			read_hold(hold);
}

static void wait_for_removal(const char *file)
{
	while (access(file, F_OK) == 0)
		usleep(POLL_US);
}

void request_hold(enum request_hold place)
{
	const char *file;
	int fd;

	pthread_once(&once, read_environment);
	file = holds[place].file;
	if (!file)
		return;
	if (holds[place].ordinal > 0) {
		if (atomic_fetch_add(&passed[place], 1) + 1 != holds[place].ordinal)
			return;
		fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			refuse(file);
		close(fd);
	}
	wait_for_removal(file);
}

/* A name among others, with commas between them; test_point.c refuses what is none. */
bool request_rule_broken(const char *rule)
{
	const char *rules = getenv("FOLDFS_BREAK");
	const size_t len = strlen(rule);

	while (rules && *rules) {
		const size_t n = strcspn(rules, ",");

		if (n == len && memcmp(rules, rule, len) == 0)
			return true;
		rules += n + (rules[n] == ',');
	}
	return false;
}

#endif
