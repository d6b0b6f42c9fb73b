/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_PRIVILEGES_H
#define FUSEFS_PRIVILEGES_H

/** Give up, for good, every capability that serving files does not take, and for the
 *  time being what only a few calls do (credentials_enter_own()). To be called while
 *  there is one thread, after everything that raises limits. */
void privileges_reduce(void);

#endif
