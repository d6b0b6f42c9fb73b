/* SPDX-License-Identifier: MIT */
/*
 * Admission: what may begin while requests are held up, and where the rest waits.
 *
 * As long as nobody is held up, nobody is asked. Otherwise a request may begin if its
 * caller has fewer under way than a share, and so has the file system below that it is
 * about. Half of each share is for requests that change nothing: who writes to a frozen
 * store can still be told what is in it. Others wait in one queue, as data, and
 * whoever ends takes the first of it that may begin.
 *
 * Nobody waits here who is waited for. What is under way waits for the store and for
 * nothing else (R1), so each request in the queue waits for the store at most. Still a
 * notification must not wait for the store on account of somebody who has nothing to do
 * with it: requests about its inode begin beyond their caller's share (R3), unless it
 * is that inode which is held up.
 *
 * Of the READs in the queue that nobody waits for a user has a share, too; the rest are
 * answered with an error (waiting_reads.h).
 *
 * Never asked: FORGET, INTERRUPT and answers of the kernel, which wait for nothing;
 * what the kernel writes back, which op_write_buf() leaves to the continuations; and
 * calls of our own threads on the mount, for which others wait.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <urcu/compiler.h>

#include "new_requests.h"
#include "serving_internal.h"
#include "waiting_reads.h"

#define PAGE_BYTES 4096u

/* Data that waits in memory, of all and of one user: who writes more meanwhile is told
 * that there is no memory. */
#define QUEUE_BYTES_MAX	  ((size_t)256 << 20)
#define ACCOUNT_BYTES_MAX ((size_t)32 << 20)
/* The deputy's looks at the queue, which may be long. */
#define LOOK_NS		  UINT64_C(2000000)
/* Threads that only those have who are never asked. */
#define RESERVED(bound)	  ((bound) / 16)

/* A request that waits. */
struct queued {
	struct cds_list_head node;
	struct serving *serving;
	struct waiting_read read; /* of a READ */
	uint64_t taken;		  /* of server.taken */
	struct terms terms;
	struct fuse_buf buf;
	char mem[];
};

/* ------------------------------------------------------------------- what it is */

static const void *body_of(const struct fuse_in_header *header)
{
	return header + 1;
}

static bool has_body(const struct fuse_in_header *header, size_t bytes)
{
	return header->len >= sizeof(*header) + bytes;
}

/* Of what libfuse has read: a WRITE's pages are those it brings. */
static uint32_t pages_of(const struct fuse_in_header *header)
{
	const struct fuse_read_in *read = body_of(header);

	if (header->opcode == FUSE_READ && has_body(header, sizeof(*read)))
		return read->size / PAGE_BYTES + 2;
	if (header->opcode == FUSE_WRITE)
		return header->len / PAGE_BYTES + 2;
	return 0;
}

static bool opens_for_reading(const struct fuse_in_header *header)
{
	const struct fuse_open_in *open = body_of(header);

	return has_body(header, sizeof(open->flags)) &&
	       (open->flags & O_ACCMODE) == O_RDONLY;
}

static bool changes(const struct fuse_in_header *header)
{
	switch (header->opcode) {
	case FUSE_OPEN:
		return !opens_for_reading(header);
	case FUSE_LOOKUP:
	case FUSE_GETATTR:
	case NEW_REQUEST_STATX:
	case FUSE_READLINK:
	case FUSE_READ:
	case FUSE_STATFS:
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
	case FUSE_OPENDIR:
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
	case FUSE_RELEASEDIR:
	case FUSE_ACCESS:
	case FUSE_LSEEK:
		return false;
	default:
		return true;
	}
}

void admission_note(struct server *me, const void *request, size_t len)
{
	const struct fuse_in_header *header = request;
	const bool known = len >= sizeof(*header);

	atomic_store_explicit(&me->terms.account, known ? header->uid : UINT32_MAX,
			      memory_order_relaxed);
	atomic_store_explicit(&me->terms.nodeid, known ? header->nodeid : 0,
			      memory_order_relaxed);
	atomic_store_explicit(&me->terms.pages, known ? pages_of(header) : 0,
			      memory_order_relaxed);
	atomic_store_explicit(&me->terms.changes, !known || changes(header),
			      memory_order_relaxed);
	atomic_store_explicit(&me->terms.device, 0, memory_order_relaxed);
}

static bool is_written_back(const struct fuse_in_header *header)
{
	const struct fuse_write_in *write = body_of(header);

	return header->opcode == FUSE_WRITE && has_body(header, sizeof(*write)) &&
	       write->write_flags & FUSE_WRITE_CACHE;
}

static bool is_ours(const struct fuse_in_header *header)
{
	return header->pid != 0 && syscall(SYS_tgkill, getpid(), header->pid, 0) == 0;
}

static bool is_never_asked(const struct fuse_in_header *header)
{
	switch (header->opcode) {
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
	case FUSE_NOTIFY_REPLY:
	case FUSE_INIT:
	case FUSE_DESTROY:
		return true;
	default:
		return is_written_back(header) || is_ours(header);
	}
}

static struct terms terms_of(const struct serving *serving,
			     const struct fuse_in_header *header)
{
	struct serving_subject subject = {.owner = header->uid};
	struct terms terms = {
		.account = header->uid,
		.pages = pages_of(header),
		.nodeid = header->nodeid,
		.changes = changes(header),
	};

	if (serving->config.subject && header->nodeid != 0)
		serving->config.subject(serving->config.arg, header->nodeid, &subject);
	if (header->pid == 0)
		terms.account = subject.owner;
	terms.device = subject.device;
	return terms;
}

/* --------------------------------------------------------------- who may begin */

/* What is under way. */
struct tally {
	unsigned all, mine, my_changes, there, changes_there;
	uint64_t pages, my_pages;
	bool held_up; /* the very inode */
};

/* Required: lock. */
static struct tally count(const struct serving *serving, const struct terms *terms)
{
	const struct server *server;
	struct tally tally = {0};

	cds_list_for_each_entry(server, &serving->servers, node) {
		const uint32_t pages = server->terms.pages;
		const bool writes = server->terms.changes;

		if (!(atomic_load(&server->state) & 1))
			continue;
		tally.all++;
		tally.pages += pages;
		if (server->terms.account == terms->account) {
			tally.mine++;
			tally.my_changes += writes;
			tally.my_pages += pages;
		}
		if (terms->device != 0 && server->terms.device == terms->device) {
			tally.there++;
			tally.changes_there += writes;
		}
		tally.held_up |=
			server->held_up && server->terms.nodeid == terms->nodeid;
	}
	return tally;
}

/* Required: lock. */
static bool is_hurried(const struct serving *serving, uint64_t nodeid)
{
	for (const struct serving_hurry *hurry = serving->hurries; hurry;
	     hurry = hurry->next)
		if (hurry->nodeid == nodeid)
			return true;
	return false;
}

static bool has_pages(const struct serving *serving, const struct tally *tally,
		      const struct terms *terms)
{
	const unsigned max = serving->config.pages_max;

	return terms->pages == 0 || max == 0 || tally->pages == 0 ||
	       (tally->pages + terms->pages <= max &&
		(tally->my_pages == 0 || tally->my_pages + terms->pages <= max / 4));
}

static bool has_share(unsigned all, unsigned changing, unsigned share, bool changes)
{
	return all < share && (!changes || changing < share - share / 2);
}

/* Required: lock. */
static bool may_begin(const struct serving *serving, const struct terms *terms)
{
	const struct serving_config *config = &serving->config;
	const struct tally tally = count(serving, terms);

	if (tally.all >= config->threads_bound - RESERVED(config->threads_bound) ||
	    !has_pages(serving, &tally, terms))
		return false;
	if (is_hurried(serving, terms->nodeid) && !tally.held_up)
		return true;
	return has_share(tally.mine, tally.my_changes, config->share, terms->changes) &&
	       has_share(tally.there, tally.changes_there, config->device_share,
			 terms->changes);
}

static void set_terms(struct server *me, const struct terms *terms)
{
	atomic_store(&me->terms.account, terms->account);
	atomic_store(&me->terms.pages, terms->pages);
	atomic_store(&me->terms.nodeid, terms->nodeid);
	atomic_store(&me->terms.device, terms->device);
	atomic_store(&me->terms.changes, terms->changes);
}

/* ------------------------------------------------------------------- the queue */

/* An answer without libfuse, which has not seen the request. */
static void refuse(const struct serving *serving, uint64_t unique, int error)
{
	const struct fuse_out_header out = {
		.len = sizeof(out), .error = error, .unique = unique};

	/* Who has given up meanwhile needs no answer. */
	(void)!write(fuse_session_fd(serving->config.session), &out, sizeof(out));
}

/* Required: lock. */
static size_t bytes_of(const struct serving *serving, uint32_t account)
{
	const struct queued *queued;
	size_t bytes = 0;

	cds_list_for_each_entry(queued, &serving->queue, node)
		if (queued->terms.account == account)
			bytes += queued->buf.size;
	return bytes;
}

static const struct fuse_in_header *header_of(const struct queued *queued)
{
	return (const void *)queued->mem;
}

static bool is_read(const struct queued *queued)
{
	return header_of(queued)->opcode == FUSE_READ;
}

/* It is in the queue no more. Required: lock. */
static void dequeue(struct queued *queued)
{
	struct serving *serving = queued->serving;

	cds_list_del(&queued->node);
	serving->queued--;
	serving->queued_bytes -= queued->buf.size;
	if (serving->config.queued)
		serving->config.queued(serving->config.arg, serving->queued);
	admission_update(serving);
}

/* Whatever is known of here is in the queue. Required: lock. */
static bool take_back(struct waiting_read *read)
{
	dequeue(caa_container_of(read, struct queued, read));
	return true;
}

/* What is only readahead, and too much of it, is answered. Required: lock. */
static void count_read(struct serving *serving, struct queued *queued)
{
	struct waiting_read *read, *next;
	struct cds_list_head refused;

	CDS_INIT_LIST_HEAD(&refused);
	queued->read = (struct waiting_read){
		.thread = header_of(queued)->pid,
		.account = queued->terms.account,
		.taken = queued->taken,
		.known = atomic_load(&serving->looks),
		.take_back = take_back,
	};
	waiting_reads_add(serving->reads, &queued->read, &refused);
	cds_list_for_each_entry_safe(read, next, &refused, node) {
		struct queued *other = caa_container_of(read, struct queued, read);

		refuse(serving, header_of(other)->unique, -EAGAIN);
		free(other);
	}
}

/* Required: lock. @return false: there is no memory */
static bool enqueue(struct server *me, const struct fuse_in_header *header,
		    const struct terms *terms)
{
	struct serving *serving = me->serving;
	const size_t bytes = header->len;
	struct queued *queued;

	/* What is small is bounded by its callers: a thread waits for each. */
	if (bytes > PAGE_BYTES &&
	    (serving->queued_bytes + bytes > QUEUE_BYTES_MAX ||
	     bytes_of(serving, terms->account) + bytes > ACCOUNT_BYTES_MAX))
		return false;
	queued = malloc(sizeof(*queued) + bytes);
	if (!queued)
		return false;
	queued->serving = serving;
	queued->taken = me->taken;
	queued->terms = *terms;
	queued->buf = (struct fuse_buf){.size = bytes, .mem = queued->mem};
	memcpy(queued->mem, header, bytes);
	cds_list_add_tail(&queued->node, &serving->queue);
	serving->queued++;
	serving->queued_bytes += bytes;
	if (serving->config.queued)
		serving->config.queued(serving->config.arg, serving->queued);
	admission_update(serving);
	if (is_read(queued))
		count_read(serving, queued);
	return true;
}

void admission_update(struct serving *serving)
{
	atomic_store(&serving->crowded, serving->held_up > 0 || serving->queued > 0);
}

bool admission_begin(struct server *me, uint64_t *ret_state)
{
	const struct fuse_in_header *header = me->buf.mem;
	struct serving *serving = me->serving;
	const struct terms terms = terms_of(serving, header);
	bool begins = is_never_asked(header), waits = false;

	pthread_mutex_lock(&serving->lock);
	begins = begins || may_begin(serving, &terms);
	if (begins) {
		set_terms(me, &terms);
		*ret_state = duty_begin(me);
	} else {
		waits = enqueue(me, header, &terms);
	}
	pthread_mutex_unlock(&serving->lock);
	if (!begins && !waits)
		refuse(serving, header->unique, -ENOMEM);
	return begins;
}

/* Whether what has been passed over says that this one is, too: most of a long queue is
 * one user's. */
static bool is_passed(const struct terms *const *passed, unsigned count,
		      const struct terms *terms)
{
	for (unsigned i = 0; i < count; i++)
		if (passed[i]->account == terms->account &&
		    passed[i]->device == terms->device &&
		    passed[i]->changes == terms->changes &&
		    passed[i]->pages <= terms->pages)
			return true;
	return false;
}

/* Required: lock. */
static struct queued *first_ready(const struct serving *serving)
{
	const struct terms *passed[8];
	struct queued *queued;
	unsigned count = 0;

	cds_list_for_each_entry(queued, &serving->queue, node) {
		const struct terms *terms = &queued->terms;

		if (!is_hurried(serving, terms->nodeid) &&
		    is_passed(passed, count, terms))
			continue;
		if (may_begin(serving, terms))
			return queued;
		if (count < sizeof(passed) / sizeof(passed[0]))
			passed[count++] = terms;
	}
	return NULL;
}

bool admission_has_ready(struct serving *serving, uint64_t now)
{
	if (serving->queued == 0 || now - serving->looked_ns < LOOK_NS)
		return false;
	serving->looked_ns = now;
	return first_ready(serving) != NULL;
}

bool admission_next(struct server *me, uint64_t *ret_state)
{
	struct serving *serving = me->serving;
	struct queued *queued = NULL;

	pthread_mutex_lock(&serving->lock);
	if (!serving_has_ended(serving))
		queued = first_ready(serving);
	if (queued) {
		dequeue(queued);
		if (is_read(queued))
			waiting_reads_remove(serving->reads, &queued->read);
		me->taken = queued->taken;
		set_terms(me, &queued->terms);
		me->queued = queued;
		me->request = &queued->buf;
		*ret_state = duty_begin_off(me);
	}
	pthread_mutex_unlock(&serving->lock);
	return queued != NULL;
}

void admission_done(struct server *me)
{
	free(me->queued);
	me->queued = NULL;
	me->request = &me->buf;
}

void admission_fini(struct serving *serving)
{
	struct queued *queued, *next;

	cds_list_for_each_entry_safe(queued, next, &serving->queue, node)
		free(queued);
}

/* -------------------------------------------------------------------- for others */

bool serving_is_crowded(const struct serving *serving)
{
	return atomic_load_explicit(&serving->crowded, memory_order_relaxed);
}

/* What is queued about it is found ready by the deputy's next look around. */
void serving_hurry(struct serving *serving, struct serving_hurry *hurry,
		   uint64_t nodeid)
{
	hurry->nodeid = nodeid;
	pthread_mutex_lock(&serving->lock);
	hurry->next = serving->hurries;
	serving->hurries = hurry;
	pthread_mutex_unlock(&serving->lock);
}

void serving_calm(struct serving *serving, struct serving_hurry *hurry)
{
	struct serving_hurry **at = &serving->hurries;

	pthread_mutex_lock(&serving->lock);
	while (*at != hurry)
		at = &(*at)->next;
	*at = hurry->next;
	pthread_mutex_unlock(&serving->lock);
}
