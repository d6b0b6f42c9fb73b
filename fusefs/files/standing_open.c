/* SPDX-License-Identifier: MIT */
/*
 * Standing opens: for how long each stands, and who closes it.
 *
 * A standing open holds no reference of its inode, or the inode would never be freed;
 * whoever uses one holds both. The lists are in order of use, so that the thread which
 * closes them looks at the first of each only.
 */

#include "standing_open.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "account.h"
#include "log.h"
#include "store_stat.h"
#include "timed_cond.h"

#define SECOND_NS UINT64_C(1000000000)
#define TICK_NS	  UINT64_C(10000000) /* the coarsest clock's */

/* For how long one stands that nobody uses. */
enum standing_class {
	STANDS_BRIEFLY,
	STANDS_A_MINUTE,
	STANDS_FOR_GOOD,
	STANDING_CLASSES,
};

static const uint64_t stands_ns[STANDING_CLASSES] = {
	SECOND_NS,
	60 * SECOND_NS,
	UINT64_MAX,
};

static struct {
	pthread_mutex_t lock;
	/* Guarded by lock. */
	struct cds_list_head lists[STANDING_CLASSES]; /* longest unused first */
	size_t counts[STANDING_CLASSES], max;
	bool stopped, overflow_logged;
	pthread_cond_t changed;
	/* Set once. */
	bool started;
	pthread_t thread;
} standing = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

/* ------------------------------------------------------------------- the lists */

/* Required: lock. */
static void list_add(struct open_file *file, enum standing_class class)
{
	file->standing_class = class;
	file->used_ns = inode_clock_ns();
	cds_list_add_tail(&file->standing_node, &standing.lists[class]);
	if (standing.counts[class]++ == 0)
		pthread_cond_signal(&standing.changed);
}

/* Required: lock. */
static void list_remove(struct open_file *file)
{
	cds_list_del(&file->standing_node);
	standing.counts[file->standing_class]--;
}

/* Required: lock, it is in a list. */
static void list_used(struct open_file *file)
{
	cds_list_del(&file->standing_node);
	file->used_ns = inode_clock_ns();
	cds_list_add_tail(&file->standing_node, &standing.lists[file->standing_class]);
}

static unsigned slot_of(const struct open_file *file)
{
	return file->access == STORE_READ ? STANDING_READ : STANDING_WRITE;
}

/* Required: lock. The caller has the list's share of it now. */
static void take_out(struct open_file *file)
{
	list_remove(file);
	file->inode->standing[slot_of(file)] = NULL;
}

static struct open_file *first_of(enum standing_class class)
{
	struct cds_list_head *list = &standing.lists[class];

	return cds_list_empty(list)
		       ? NULL
		       : cds_list_entry(list->next, struct open_file, standing_node);
}

/* The one that has stood unused for longest, with a reference of its inode for whoever
 * closes it; or NULL. Inodes that are being freed see to it themselves. Required: lock.
 */
static struct open_file *take_first(enum standing_class class)
{
	struct open_file *file;

	cds_list_for_each_entry(file, &standing.lists[class], standing_node) {
		if (inode_get_unless_zero(file->inode)) {
			take_out(file);
			return file;
		}
	}
	return NULL;
}

/* ------------------------------------------------------------------ the closing */

/* Required: lock; lets go of it meanwhile. */
static bool close_first(enum standing_class class)
{
	struct open_file *file = take_first(class);

	if (!file)
		return false;
	pthread_mutex_unlock(&standing.lock);
	open_file_put(file);
	pthread_mutex_lock(&standing.lock);
	return true;
}

/* Required: lock; lets go of it meanwhile. */
static void keep_within_max(enum standing_class class)
{
	while (standing.counts[class] > standing.max) {
		if (class == STANDS_FOR_GOOD && !standing.overflow_logged) {
			standing.overflow_logged = true;
			log_msg(LOG_WARNING,
				"%zu files that their own user may not open any more are "
				"kept open for who has them: of others like them, what is "
				"open is refused now. Raise the limit on descriptors "
				"(ulimit -Hn, LimitNOFILE= of a systemd unit)",
				standing.max);
		}
		if (!close_first(class))
			return;
	}
}

void standing_open_close_idle(void)
{
	pthread_mutex_lock(&standing.lock);
	while (standing.started && close_first(STANDS_BRIEFLY))
		continue;
	pthread_mutex_unlock(&standing.lock);
}

/* When the next one is due; UINT64_MAX: never. Required: lock. */
static uint64_t next_due_ns(enum standing_class *ret_class)
{
	uint64_t due = UINT64_MAX;

	for (enum standing_class class = 0; class < STANDS_FOR_GOOD; class ++) {
		const struct open_file *file = first_of(class);

		if (file && file->used_ns + stands_ns[class] < due) {
			due = file->used_ns + stands_ns[class];
			*ret_class = class;
		}
	}
	return due;
}

/* Required: lock; lets go of it meanwhile. */
static void wait_until(uint64_t due_ns)
{
	/* Not before the coarse clock says so, too. */
	const uint64_t ns = due_ns + TICK_NS;
	const struct timespec due = {
		.tv_sec = (time_t)(ns / SECOND_NS),
		.tv_nsec = (long)(ns % SECOND_NS),
	};

	if (due_ns == UINT64_MAX)
		pthread_cond_wait(&standing.changed, &standing.lock);
	else
		pthread_cond_timedwait(&standing.changed, &standing.lock, &due);
}

static void *close_what_is_due(void *arg)
{
	enum standing_class class = STANDS_BRIEFLY;
	uint64_t due;

	(void)arg;
	pthread_mutex_lock(&standing.lock);
	while (!standing.stopped) {
		due = next_due_ns(&class);
		if (due > inode_clock_ns())
			wait_until(due);
		else if (!close_first(class))
			/* Its inode is being freed. */
			wait_until(inode_clock_ns() + SECOND_NS);
	}
	pthread_mutex_unlock(&standing.lock);
	return NULL;
}

int standing_open_start(struct daemon *daemon)
{
	int status;

	if (!daemon->options.no_open)
		return 0;
	for (unsigned class = 0; class < STANDING_CLASSES; class ++)
		CDS_INIT_LIST_HEAD(&standing.lists[class]);
	timed_cond_init(&standing.changed);
	status = -pthread_create(&standing.thread, NULL, close_what_is_due, NULL);
	standing.started = status == 0;
	if (status < 0)
		log_no_threads(status);
	return status;
}

void standing_open_stop(void)
{
	if (!standing.started)
		return;
	pthread_mutex_lock(&standing.lock);
	standing.stopped = true;
	pthread_cond_signal(&standing.changed);
	pthread_mutex_unlock(&standing.lock);
	pthread_join(standing.thread, NULL);
}

void standing_open_set_max(size_t max)
{
	pthread_mutex_lock(&standing.lock);
	standing.max = max;
	pthread_mutex_unlock(&standing.lock);
}

void standing_open_forget(struct inode *inode)
{
	struct open_file *file;

	for (unsigned slot = 0; slot < STANDING_SLOTS; slot++) {
		pthread_mutex_lock(&standing.lock);
		file = inode->standing[slot];
		if (file)
			take_out(file);
		pthread_mutex_unlock(&standing.lock);
		if (file)
			open_file_abandon(file);
	}
}

/* -------------------------------------------------------------------- the using */

/* How the file has to be open for this use. */
static int flags_of(enum standing_use use, const struct fuse_file_info *fi)
{
	/* Each write says by itself whether it appends; some files take nothing else.
	 */
	if (use == STANDING_WRITE)
		return O_WRONLY | O_APPEND;
	return O_RDONLY | (use == STANDING_READ ? fi->flags & O_NOATIME : 0);
}

/* What stands there and is good for this, with references of file and inode; or NULL.
 * Required: lock. */
static struct open_file *find(struct inode *inode, enum standing_use use, int flags)
{
	struct open_file *const reading = inode->standing[STANDING_READ];
	struct open_file *const writing = inode->standing[STANDING_WRITE];
	struct open_file *file = use == STANDING_WRITE ? writing : reading;

	if (use == STANDING_EITHER && writing)
		file = writing;
	else if (use == STANDING_READ && file && file->flags != flags)
		file = NULL; /* whether access times move is decided anew */
	if (!file)
		return NULL;
	list_used(file);
	open_file_ref(file);
	return file;
}

/* Have a file stand there that is just open; whatever stood there goes. */
static void set_up(struct open_file *file)
{
	struct inode *inode = file->inode;
	struct open_file *old;

	pthread_mutex_lock(&standing.lock);
	old = inode->standing[slot_of(file)];
	if (old)
		take_out(old);
	file->refs++; /* the slot's, without one of the inode */
	inode->standing[slot_of(file)] = file;
	/* Who replaces what is kept is kept as well. */
	list_add(file, old ? old->standing_class : STANDS_BRIEFLY);
	keep_within_max(file->standing_class);
	pthread_mutex_unlock(&standing.lock);
	if (old)
		open_file_abandon(old);
}

/* The standing open of an inode, made if need be, with a reference. */
static int standing_open_get(struct inode *inode, enum standing_use use, int flags,
			     struct open_file **ret_file)
{
	int status;

	pthread_mutex_lock(&standing.lock);
	*ret_file = find(inode, use, flags);
	pthread_mutex_unlock(&standing.lock);
	if (*ret_file)
		return 0;
	status = open_file_create(inode, flags, ACCOUNT_OURS, ret_file);
	/* Permitted to write and not to read. */
	if (status == -EACCES && use == STANDING_EITHER)
		status = open_file_create(inode, O_WRONLY | O_APPEND, ACCOUNT_OURS,
					  ret_file);
	if (status == 0)
		set_up(*ret_file);
	return status;
}

int request_file(struct inode *inode, const struct fuse_file_info *fi,
		 enum standing_use use, struct open_file **ret_file)
{
	if (atomic_load(&inode->torn))
		return -EIO; /* opened before it broke, or never */
	if (fi->fh != 0) {
		*ret_file = open_file_of(fi);
		open_file_ref(*ret_file);
		return 0;
	}
	return standing_open_get(inode, use, flags_of(use, fi), ret_file);
}

/* --------------------------------------------------------------- rights that go */

/* From now on it stands for as long as that, if it stands. Required: lock; lets go of
 * it meanwhile. */
static void reclassify(struct open_file *file, enum standing_class class)
{
	if (!file || file->standing_class == class)
		return;
	list_remove(file);
	list_add(file, class);
	keep_within_max(class);
}

/* Open and kept, if it may be opened at all. */
static void keep(struct inode *inode, enum standing_use use)
{
	const int flags = use == STANDING_WRITE ? O_WRONLY | O_APPEND : O_RDONLY;
	struct open_file *file;
	bool kept;

	do {
		if (standing_open_get(inode, use, flags, &file) < 0)
			return;
		pthread_mutex_lock(&standing.lock);
		kept = inode->standing[use] == file;
		if (kept)
			reclassify(file, STANDS_FOR_GOOD);
		pthread_mutex_unlock(&standing.lock);
		open_file_put(file);
	} while (!kept);
}

/* Whether a file's mode can keep us from opening it: root may whatever it is. */
static bool is_bound_by_mode(const struct inode *inode)
{
	return inode->daemon->options.no_open && !inode->daemon->privileged &&
	       S_ISREG(inode->type);
}

void standing_open_before_loss(struct inode *inode)
{
	if (!is_bound_by_mode(inode) || atomic_load(&inode->torn))
		return;
	keep(inode, STANDING_READ);
	keep(inode, STANDING_WRITE);
}

static bool stands(struct inode *inode)
{
	bool any;

	pthread_mutex_lock(&standing.lock);
	any = inode->standing[STANDING_READ] || inode->standing[STANDING_WRITE];
	pthread_mutex_unlock(&standing.lock);
	return any;
}

static bool may(struct inode *inode, int mask)
{
	return faccessat(inode->daemon->proc_fd_dir, fd_name(inode->fd).text, mask,
			 AT_EACCESS) == 0;
}

void standing_open_after_loss(struct inode *inode)
{
	enum standing_class reading = STANDS_BRIEFLY, writing = STANDS_BRIEFLY;

	if (!is_bound_by_mode(inode) || !stands(inode))
		return;
	if (!may(inode, R_OK))
		reading = STANDS_FOR_GOOD;
	if (!may(inode, W_OK))
		writing = atomic_load(&inode->mode) & 0111 ? STANDS_A_MINUTE
							   : STANDS_FOR_GOOD;
	pthread_mutex_lock(&standing.lock);
	reclassify(inode->standing[STANDING_READ], reading);
	reclassify(inode->standing[STANDING_WRITE], writing);
	pthread_mutex_unlock(&standing.lock);
}

bool standing_open_is_loss(mode_t mode)
{
	/* The owner's rights are all that count: a daemon that is not root may change
	 * the mode of no other file. */
	return (mode & (S_IRUSR | S_IWUSR)) != (S_IRUSR | S_IWUSR);
}

int standing_open_created(struct inode *inode, mode_t mode, struct fuse_file_info *fi)
{
	struct open_file *file;
	int status;

	status = standing_open_get(inode, STANDING_WRITE, O_WRONLY | O_APPEND, &file);
	if (status < 0)
		return status;
	if (standing_open_is_loss(mode)) {
		standing_open_before_loss(inode);
		standing_open_after_loss(inode);
	}
	open_file_put(file);
	fi->fh = 0;
	fi->keep_cache = 1;
	return 0;
}
