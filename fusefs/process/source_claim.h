/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SOURCE_CLAIM_H
#define FUSEFS_SOURCE_CLAIM_H

/*
 * Noticing a second daemon on one SOURCE.
 *
 * It is allowed, and each sees what the other does as changes behind the mount; but who
 * does it by mistake should hear of it. So each daemon holds an address of its SOURCE's own
 * in the abstract name space of AF_UNIX: no file, no directory that has to be there, gone
 * with the process. What it does not see: daemons in another network namespace or on another
 * machine. Anybody can take an address, so nothing but a line of the log depends on it.
 */

/**
 * Hold the address until the process ends, or say in the log that somebody has it.
 * @param source_fd  SOURCE
 * @param source     its name, for the log
 */
void source_claim(int source_fd, const char *source);

#endif
