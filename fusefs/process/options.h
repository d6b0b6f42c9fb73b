/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_OPTIONS_H
#define FUSEFS_OPTIONS_H

#include "daemon.h"

/** What the command line asks for. */
enum options_result {
	OPTIONS_RUN,   /* mount, remount, or check */
	OPTIONS_DONE,  /* --help or --version has been printed */
	OPTIONS_WRONG, /* and why has been printed */
};

/**
 * Read the command line: `foldfs [options] SOURCE MOUNTPOINT`, also in the order that
 * mount(8) uses; with --check both may be missing. Prints to stdout and stderr.
 * @param ret_options  filled in whatever the result; source and mountpoint as given.
 *                     Free it with options_fini().
 */
enum options_result options_parse(int argc, char *argv[], struct options *ret_options);
void options_fini(struct options *options);

/** What --help and --version print. */
void options_print_help(void);
void options_print_version(void);

#endif
