/* SPDX-License-Identifier: MIT */
#ifndef RANGE_ORACLE_SETTINGS_H
#define RANGE_ORACLE_SETTINGS_H

#include "oracle.h"

/**
 * Settings from the command line, and from the environment that tests/mount/run sets.
 * Leaves the program with a message if they make no sense (2) or only help is wanted
 * (0).
 */
void settings_parse(int argc, char **argv, struct settings *ret_settings);

/** The zones of a file of so many pages. */
struct zones settings_zones(const struct settings *settings);

#endif
