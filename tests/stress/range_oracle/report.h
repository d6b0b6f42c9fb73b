/* SPDX-License-Identifier: MIT */
#ifndef RANGE_ORACLE_REPORT_H
#define RANGE_ORACLE_REPORT_H

#include "shifter.h"

/** Say on stdout what was done, how long it took, and what was found. How long is a
 *  report, not a verdict. */
void report_all(const struct oracle *oracle, const struct shifter *shifter);

#endif
