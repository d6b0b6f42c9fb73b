/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_READ_BUFFER_H
#define FUSEFS_READ_BUFFER_H

#include "cachelayer/mapping.h"

/** The calling thread's room for one read, made at its first use and freed when the
 *  thread ends.
 *  @return NULL if out of memory */
struct cl_read *read_buffer(struct cl_cache *cache);

#endif
