/* SPDX-License-Identifier: MIT */
/* See fd_share.h. */

#include "fd_share.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <urcu/hlist.h>

#include "account.h"
#include "fd_pressure.h"
#include "log.h"

/* The inode's own, and that of the store's file or of the listing; a file that one has
 * open for reading and another one for writing may take three. */
#define EACH	2
#define BUCKETS 64

/* Of whom something is held. */
struct holder {
	struct cds_hlist_node node;
	uint32_t account;
	unsigned held;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Guarded by lock. */
static struct cds_hlist_head holders[BUCKETS];
static unsigned held_by_all;

/* Required: lock. */
static struct holder *find(uint32_t account)
{
	struct holder *holder;

	cds_hlist_for_each_entry_2(holder, &holders[account % BUCKETS], node)
		if (holder->account == account)
			return holder;
	return NULL;
}

/* Required: lock. */
static bool is_left(const struct daemon *daemon, const struct holder *holder)
{
	const unsigned limit = fd_pressure_limit(daemon);
	const unsigned held = holder ? holder->held : 0;
	const unsigned others = held_by_all - held;

	return others < limit && held + EACH <= (limit - others) / 2;
}

/* Root is nobody's enemy here: he could end the daemon. */
static bool counts(const struct daemon *daemon, uint32_t account)
{
	return daemon->options.allow_other && account != ACCOUNT_OURS && account != 0;
}

bool fd_share_left(struct daemon *daemon, uint32_t account)
{
	bool left = true;

	if (!counts(daemon, account))
		return true;
	pthread_mutex_lock(&lock);
	left = is_left(daemon, find(account));
	pthread_mutex_unlock(&lock);
	return left;
}

/* Required: lock. */
static int take(struct daemon *daemon, uint32_t account)
{
	struct holder *holder = find(account);

	if (!is_left(daemon, holder))
		return -ENFILE;
	if (!holder) {
		holder = calloc(1, sizeof(*holder));
		if (!holder)
			return -ENOMEM;
		holder->account = account;
		cds_hlist_add_head(&holder->node, &holders[account % BUCKETS]);
	}
	holder->held += EACH;
	held_by_all += EACH;
	return 0;
}

int fd_share_take(struct daemon *daemon, uint32_t account)
{
	int status;

	if (!counts(daemon, account))
		return 0;
	pthread_mutex_lock(&lock);
	status = take(daemon, account);
	pthread_mutex_unlock(&lock);
	if (status == -ENFILE)
		log_kind(
			LOG_WARNING, "descriptors of one user",
			"user %u has as many files and directories open as one may, of "
			"%u descriptors: ENFILE. Raise the limit (ulimit -Hn, "
			"LimitNOFILE= of a systemd unit)",
			account, fd_pressure_limit(daemon));
	return status;
}

void fd_share_give(struct daemon *daemon, uint32_t account)
{
	struct holder *holder;

	if (!counts(daemon, account))
		return;
	pthread_mutex_lock(&lock);
	holder = find(account);
	holder->held -= EACH;
	held_by_all -= EACH;
	if (holder->held == 0) {
		cds_hlist_del(&holder->node);
		free(holder);
	}
	pthread_mutex_unlock(&lock);
}
