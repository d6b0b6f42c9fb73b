/* SPDX-License-Identifier: MIT */
/*
 * Read buffers. A struct cl_read holds an array entry per page of the largest request:
 * too much for a stack, and too often needed for malloc().
 */

#include "read_buffer.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int key_error;

static void free_buffer(void *buffer)
{
	cl_read_fini(buffer);
	free(buffer);
}

static void make_key(void)
{
	key_error = pthread_key_create(&key, free_buffer);
}

struct cl_read *read_buffer(struct cl_cache *cache)
{
	struct cl_read *read;

	pthread_once(&once, make_key);
	if (key_error)
		return NULL;
	read = pthread_getspecific(key);
	if (read)
		return read;
	read = malloc(sizeof(*read));
	if (!read)
		return NULL;
	if (cl_read_init(cache, read) < 0) {
		free(read);
		return NULL;
	}
	if (pthread_setspecific(key, read)) {
		free_buffer(read);
		return NULL;
	}
	return read;
}
