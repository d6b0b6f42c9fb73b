/* SPDX-License-Identifier: MIT */
/* Recovery of interrupted range operations, before the mount and at its end. */

#include "recovery.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "ending.h"
#include "log.h"
#include "shift_recover.h"
#include "shut_files.h"
#include "store_probe.h"

static int level_of(const struct store_event *event)
{
	switch (event->kind) {
	case STORE_EVENT_PROGRESS:
	case STORE_EVENT_FINISHED:
	case STORE_EVENT_UNDONE:
	case STORE_EVENT_GONE:
	case STORE_EVENT_LIVE:
		return LOG_NOTICE;
	case STORE_EVENT_FOREIGN:
	case STORE_EVENT_UNPROVEN:
		return event->error || event->shut ? LOG_WARNING : LOG_NOTICE;
	case STORE_EVENT_BLOCKED:
	case STORE_EVENT_UNREADABLE:
		return LOG_ERR;
	default:
		return LOG_WARNING;
	}
}

struct recovery {
	struct daemon *daemon;
	int status; /* of keeping shut files in mind */
};

static void tell(void *arg, const struct store_event *event)
{
	const struct recovery *recovery = arg;
	char text[STORE_EVENT_TEXT_MAX];

	store_event_describe(event, text, sizeof(text));
	log_kind(level_of(event), store_event_name(event->kind), "%s: %s",
		 recovery->daemon->options.source, text);
}

static void shut(void *arg, const struct shift_identity *file, uid_t owner)
{
	struct recovery *recovery = arg;
	const int status = shut_files_add(recovery->daemon->shut_files, file, owner);

	if (recovery->status == 0)
		recovery->status = status;
}

static bool stop(void *arg)
{
	(void)arg;
	return ending_is_asked_for();
}

static int recover(struct daemon *daemon)
{
	struct recovery recovery = {.daemon = daemon};
	int status;

	daemon->shut_files = shut_files_new();
	if (!daemon->shut_files)
		return -ENOMEM;
	status = shift_recover(daemon->source_fd, &(struct shift_recover_calls){
							  .event = tell,
							  .shut = shut,
							  .stop = stop,
							  .arg = &recovery,
						  });
	return status < 0 ? status : recovery.status;
}

int recovery_run(struct daemon *daemon)
{
	int status = 0;

	/* A mount that cannot write cannot mend, and shows what is there. */
	if (!daemon->options.read_only)
		status = recover(daemon);
	if (status == -EINTR)
		log_msg(LOG_NOTICE,
			"%s: ended by a signal while interrupted operations were being "
			"finished; the next mount goes on with them",
			daemon->options.source);
	else if (status < 0)
		log_msg(LOG_ERR, "%s: interrupted operations cannot be mended: %s",
			daemon->options.source, strerror(-status));
	if (status < 0)
		return status;
	daemon->store_probe = store_probe_new();
	return daemon->store_probe ? 0 : -ENOMEM;
}

void recovery_fini(struct daemon *daemon)
{
	/* Only a mount that got so far has anything to leave behind. */
	if (daemon->store_probe && !daemon->options.read_only)
		shift_recover_cleanup(daemon->source_fd);
	store_probe_free(daemon->store_probe);
	shut_files_free(daemon->shut_files);
}
