/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_MEMORY_LIMIT_H
#define FUSEFS_MEMORY_LIMIT_H

#include <stdint.h>

/**
 * What the memory control groups that we are in allow: the least of our own and of those
 * above it that can be seen, of either version of control groups. What is past it the
 * kernel does not refuse: it ends a process.
 * @return bytes; UINT64_MAX if nothing is said
 */
uint64_t memory_limit_bytes(void);

#endif
