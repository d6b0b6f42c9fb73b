/* SPDX-License-Identifier: MIT */
/* See waiting_reads.h. */

#include "waiting_reads.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUCKETS 256

/* Who has READs that wait. */
struct account {
	uint32_t id;
	unsigned count;	     /* of its READs */
	unsigned since_look; /* that came since its threads were looked at */
	struct account *next;
};

struct waiting_reads {
	/* Set once. */
	unsigned share;

	pthread_mutex_t lock;
	/* Guarded by lock. */
	struct cds_list_head buckets[BUCKETS]; /* by thread */
	struct account *accounts; /* few: users who have any at this moment */
};

struct waiting_reads *waiting_reads_create(unsigned share)
{
	struct waiting_reads *reads = calloc(1, sizeof(*reads));

	if (!reads)
		return NULL;
	reads->share = share;
	pthread_mutex_init(&reads->lock, NULL);
	for (int i = 0; i < BUCKETS; i++)
		CDS_INIT_LIST_HEAD(&reads->buckets[i]);
	return reads;
}

void waiting_reads_free(struct waiting_reads *reads)
{
	if (!reads)
		return;
	pthread_mutex_destroy(&reads->lock);
	free(reads);
}

static struct cds_list_head *bucket_of(struct waiting_reads *reads, uint32_t thread)
{
	return &reads->buckets[thread % BUCKETS];
}

/* ------------------------------------------------------------------ the accounts */

/* Required: lock. */
static struct account **find_account(struct waiting_reads *reads, uint32_t id)
{
	struct account **at = &reads->accounts;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

/* Required: lock. @return NULL: there is no memory, so nobody counts */
static struct account *count_in(struct waiting_reads *reads, uint32_t id)
{
	struct account **at = find_account(reads, id);

	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			return NULL;
		(*at)->id = id;
	}
	(*at)->count++;
	(*at)->since_look++;
	return *at;
}

/* Required: lock. */
static void count_out(struct waiting_reads *reads, uint32_t id)
{
	struct account **at = find_account(reads, id);
	struct account *account = *at;

	/* One that came when there was no memory is not in the count. */
	if (!account || --account->count > 0)
		return;
	*at = account->next;
	free(account);
}

/* ---------------------------------------------------------------------- refusing */

bool waiting_reads_thread_is_gone(uint32_t thread)
{
	return syscall(SYS_tkill, thread, 0) < 0 && errno == ESRCH;
}

/* Required: lock. */
static void refuse(struct waiting_reads *reads, struct waiting_read *read,
		   struct cds_list_head *refused)
{
	if (!read->take_back(read))
		return;
	cds_list_del(&read->node);
	cds_list_add_tail(&read->node, refused);
	count_out(reads, read->account);
}

/* A thread sends one more: the oldest that it does not wait for go. Required: lock.
 * @param account  has newest in its count; or NULL */
static void look_at_thread(struct waiting_reads *reads,
			   const struct waiting_read *newest,
			   const struct account *account, struct cds_list_head *refused)
{
	struct waiting_read *read, *next;

	cds_list_for_each_entry_safe(read, next, bucket_of(reads, newest->thread),
				     node) {
		if (read->thread != newest->thread)
			continue;
		read->later += newest->taken > read->known;
		if (account && account->count > reads->share &&
		    read->later >= WAITING_READS_LATER &&
		    read->account == newest->account)
			refuse(reads, read, refused);
	}
}

/* Those of an account whose threads are gone. Required: lock. */
static void look_for_the_gone(struct waiting_reads *reads, uint32_t account,
			      struct cds_list_head *refused)
{
	struct waiting_read *read, *next;

	for (int i = 0; i < BUCKETS; i++)
		cds_list_for_each_entry_safe(read, next, &reads->buckets[i], node)
			if (read->thread != 0 && read->account == account &&
			    waiting_reads_thread_is_gone(read->thread))
				refuse(reads, read, refused);
}

void waiting_reads_add(struct waiting_reads *reads, struct waiting_read *read,
		       struct cds_list_head *ret_refused)
{
	struct account *account;
	bool look;

	read->later = 0;
	pthread_mutex_lock(&reads->lock);
	account = count_in(reads, read->account);
	/* As often as makes it cheap for each that comes. */
	look = account && account->count > reads->share &&
	       account->since_look > account->count / 2;
	if (look)
		account->since_look = 0;
	if (read->thread != 0)
		look_at_thread(reads, read, account, ret_refused);
	if (look)
		look_for_the_gone(reads, read->account, ret_refused);
	cds_list_add_tail(&read->node, bucket_of(reads, read->thread));
	pthread_mutex_unlock(&reads->lock);
}

void waiting_reads_remove(struct waiting_reads *reads, struct waiting_read *read)
{
	pthread_mutex_lock(&reads->lock);
	cds_list_del(&read->node);
	count_out(reads, read->account);
	pthread_mutex_unlock(&reads->lock);
}
