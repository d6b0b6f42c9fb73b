/* SPDX-License-Identifier: MIT */
/* Relief for the limit on open files; see fd_pressure.h. */

#include "fd_relief.h"

#include "kept_fd.h"
#include "name_teller.h"
#include "standing_open.h"

/* Of files that nobody has open at the moment (kept_fd.h). */
#define KEPT_PERCENT	 10
/* With --no-open, of those used lately, and twice more (standing_open.h). */
#define STANDING_PERCENT 5

static void set_limit(size_t limit)
{
	kept_fd_set_max(limit * KEPT_PERCENT / 100);
	standing_open_set_max(limit * STANDING_PERCENT / 100);
}

static void close_idle(void)
{
	standing_open_close_idle();
	kept_fd_drop_all();
}

const struct fd_relief fd_relief = {
	.set_limit = set_limit,
	.close_idle = close_idle,
	.forget = name_teller_forget,
	.settle = name_teller_settle,
};
