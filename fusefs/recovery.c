/* SPDX-License-Identifier: MIT */
/* Recovery of interrupted range operations, at the mount and at its end. */

#include "recovery.h"

#include <errno.h>
#include <string.h>

#include "log.h"
#include "shift_journal.h"
#include "store_probe.h"

static int level_of(enum store_event_kind kind)
{
	switch (kind) {
	case STORE_EVENT_PROGRESS:
	case STORE_EVENT_FINISHED:
	case STORE_EVENT_UNDONE:
	case STORE_EVENT_GONE:
	case STORE_EVENT_LIVE:
		return LOG_NOTICE;
	case STORE_EVENT_BLOCKED:
	case STORE_EVENT_FOREIGN:
		return LOG_ERR;
	default:
		return LOG_WARNING;
	}
}

static void tell(void *arg, const struct store_event *event)
{
	const struct daemon *daemon = arg;
	char text[512];

	store_event_describe(event, text, sizeof(text));
	log_msg(level_of(event->kind), "%s: %s", daemon->options.source, text);
}

int recovery_run(struct daemon *daemon)
{
	int status = 0;

	/* A mount that cannot write cannot mend, and shows what is there. */
	if (!daemon->options.read_only)
		status = shift_journal_recover(daemon->source_fd, tell, daemon);
	if (status < 0) {
		log_msg(LOG_ERR, "%s: interrupted operations cannot be mended: %s",
			daemon->options.source, strerror(-status));
		return status;
	}
	daemon->store_probe = store_probe_new();
	return daemon->store_probe ? 0 : -ENOMEM;
}

void recovery_fini(struct daemon *daemon)
{
	/* Only a mount that got so far has anything to leave behind. */
	if (daemon->store_probe && !daemon->options.read_only)
		shift_journal_cleanup(daemon->source_fd);
	store_probe_free(daemon->store_probe);
}
