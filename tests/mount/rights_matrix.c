/* SPDX-License-Identifier: MIT */
/*
 * The rights matrix: 13 callers × 4 owners × 11 modes × 44 calls, each made on a file
 * of the store and on one like it through the mount. What comes out must be the same:
 * what the call says, and what the files are like afterwards.
 *
 * Nobody may do more through the mount. Where somebody can do less, or is told
 * something else, the difference is in a list with its reason, and that list is exact:
 * what is not in it fails, and so does what is in it and does not differ.
 */

#include "files.h"

#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define ALICE	      1001
#define BOB	      1002
#define STAFF	      2000
#define SIZE	      (8 * PAGE)
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* A file, and a second name that some calls make of it. */
struct place {
	char name[PATH_MAX - 8], second[PATH_MAX];
	char from[PATH_MAX]; /* a file that anybody can copy from */
	bool on_mount;
};

/* ------------------------------------------------------------------- the calls */

/* What a call says: 0, or an errno. */
static int said(long long result)
{
	return result < 0 ? errno : 0;
}

typedef long long change(int fd, const struct place *place);

static int with_file(const struct place *place, int flags, change *by)
{
	const int fd = open(place->name, flags);
	int error;

	if (fd < 0)
		return errno;
	error = said(by(fd, place));
	close(fd);
	return error;
}

static char much[300000];

static long long write_some(int fd, const struct place *place)
{
	(void)place;
	return write(fd, "zz", 2);
}

static long long write_much(int fd, const struct place *place)
{
	(void)place;
	return write(fd, much, sizeof(much));
}

static long long write_page(int fd, const struct place *place)
{
	static _Alignas(4096) char page[4096];

	(void)place;
	return write(fd, page, sizeof(page));
}

static long long splice_some(int fd, const struct place *place)
{
	int ends[2];
	long long n;

	(void)place;
	if (pipe(ends) < 0 || write(ends[1], much, PAGE) < 0)
		return -1;
	n = splice(ends[0], NULL, fd, NULL, PAGE, 0);
	close(ends[0]);
	close(ends[1]);
	return n;
}

static long long from_another(int fd, const struct place *place, bool sends)
{
	const int from = open(place->from, O_RDONLY);
	off_t at = 0, to = 0;
	long long n;

	n = sends ? sendfile(fd, from, &at, 100)
		  : copy_file_range(from, &at, fd, &to, PAGE, 0);
	close(from);
	return n;
}

static long long send_some(int fd, const struct place *place)
{
	return from_another(fd, place, true);
}

static long long copy_some(int fd, const struct place *place)
{
	return from_another(fd, place, false);
}

static long long allocate(int fd, const struct place *place)
{
	(void)place;
	return fallocate(fd, 0, 0, 20 * PAGE);
}

/* Where the kernel lets no FUSE file system do it, a second punch stands for it. */
static int zero_mode = FALLOC_FL_ZERO_RANGE;

static long long zero(int fd, const struct place *place)
{
	(void)place;
	return fallocate(fd, zero_mode, 0, PAGE);
}

static long long punch(int fd, const struct place *place)
{
	(void)place;
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE);
}

static long long cut(int fd, const struct place *place)
{
	(void)place;
	return ftruncate(fd, 5);
}

static long long store_mapped(int fd, const struct place *place)
{
	char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	(void)place;
	if (memory == MAP_FAILED)
		return -1;
	memory[0] = 'm';
	if (msync(memory, PAGE, MS_SYNC) < 0)
		return -1;
	return munmap(memory, PAGE);
}

static long long nothing(int fd, const struct place *place)
{
	(void)fd;
	(void)place;
	return 0;
}

/* The same in the store by fallocate(2), which takes a writer as well. */
static int range(const struct place *place, const char *name, const char *value,
		 int mode)
{
	int fd, error;

	if (place->on_mount)
		return said(setxattr(place->name, name, value, strlen(value),
				     XATTR_REPLACE));
	fd = open(place->name, O_RDWR);
	if (fd < 0)
		return errno;
	error = said(fallocate(fd, mode, 0, PAGE));
	close(fd);
	return error;
}

static int by_path_of_descriptor(const struct place *place, bool mode)
{
	const int fd = open(place->name, O_PATH);
	char path[32];
	int error;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	error = said(mode ? chmod(path, 04777) : setxattr(path, "user.x", "1", 1, 0));
	close(fd);
	return error;
}

static int set_acl(const struct place *place)
{
	/* user::rwx group::rwx other::r-- */
	static const uint32_t acl[] = {2,	   0x00070001, UINT32_MAX, 0x00070004,
				       UINT32_MAX, 0x00040020, UINT32_MAX};

	return said(
		setxattr(place->name, "system.posix_acl_access", acl, sizeof(acl), 0));
}

static const uint32_t some_capability[] = {0x02000001, 1, 0, 0, 0};

static int set_times(const struct place *place, const struct timespec *times)
{
	return said(utimensat(AT_FDCWD, place->name, times, 0));
}

/* What a list says: how many bytes, as if that were an errno. */
static int list(const struct place *place)
{
	char names[4096];
	const ssize_t n = listxattr(place->name, names, sizeof(names));

	return n < 0 ? errno : 1000 + (int)n;
}

#define CALLS(_)                                                                       \
	_(write, with_file(p, O_WRONLY, write_some))                                   \
	_(write_much, with_file(p, O_WRONLY, write_much))                              \
	_(write_directly, with_file(p, O_WRONLY | O_DIRECT, write_page))               \
	_(append, with_file(p, O_WRONLY | O_APPEND, write_some))                       \
	_(splice, with_file(p, O_WRONLY, splice_some))                                 \
	_(sendfile, with_file(p, O_WRONLY, send_some))                                 \
	_(copy_file_range, with_file(p, O_WRONLY, copy_some))                          \
	_(allocate, with_file(p, O_WRONLY, allocate))                                  \
	_(punch, with_file(p, O_RDWR, punch))                                          \
	_(zero, with_file(p, O_WRONLY, zero))                                          \
	_(collapse_range,                                                              \
	  range(p, "user.foldfs.collapse_range", "0+4096", FALLOC_FL_COLLAPSE_RANGE))  \
	_(insert_range,                                                                \
	  range(p, "user.foldfs.insert_range", "0+4096", FALLOC_FL_INSERT_RANGE))      \
	_(punch_hole, range(p, "user.foldfs.punch_hole", "0+4096",                     \
			    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))               \
	_(zero_range, range(p, "user.foldfs.zero_range", "0+4096",                     \
			    FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE))               \
	_(move_range, range(p, "user.foldfs.move_range", "0+4096>8192",                \
			    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))               \
	_(truncate, said(truncate(p->name, 100)))                                      \
	_(truncate_to_size, said(truncate(p->name, SIZE)))                             \
	_(ftruncate, with_file(p, O_RDWR, cut))                                        \
	_(open_trunc, with_file(p, O_WRONLY | O_TRUNC, nothing))                       \
	_(open_trunc_read, with_file(p, O_RDONLY | O_TRUNC, nothing))                  \
	_(store_mapped, with_file(p, O_RDWR, store_mapped))                            \
	_(chmod_setid, said(chmod(p->name, 06755)))                                    \
	_(chmod_plain, said(chmod(p->name, 0644)))                                     \
	_(chown_own_group, said(chown(p->name, (uid_t)-1, getegid())))                 \
	_(chown_nothing, said(chown(p->name, (uid_t)-1, (gid_t)-1)))                   \
	_(chown_group, said(chown(p->name, (uid_t)-1, STAFF)))                         \
	_(chown_root, said(chown(p->name, 0, (gid_t)-1)))                              \
	_(times, set_times(p, (struct timespec[]){{.tv_sec = 1}, {.tv_sec = 1}}))      \
	_(times_now, set_times(p, NULL))                                               \
	_(set_user, said(setxattr(p->name, "user.x", "1", 1, 0)))                      \
	_(set_trusted, said(setxattr(p->name, "trusted.x", "1", 1, 0)))                \
	_(set_security, said(setxattr(p->name, "security.x", "1", 1, 0)))              \
	_(get_trusted, said(getxattr(p->name, "trusted.t", much, 100)))                \
	_(set_capability,                                                              \
	  said(setxattr(p->name, "security.capability", some_capability, 20, 0)))      \
	_(remove_capability, said(removexattr(p->name, "security.capability")))        \
	_(set_acl, set_acl(p))                                                         \
	_(list, list(p))                                                               \
	_(open_read, with_file(p, O_RDONLY, nothing))                                  \
	_(open_noatime, with_file(p, O_RDONLY | O_NOATIME, nothing))                   \
	_(link, said(link(p->name, p->second)))                                        \
	_(unlink, said(unlink(p->name)))                                               \
	_(rename, said(rename(p->name, p->second)))                                    \
	_(set_user_by_descriptor, by_path_of_descriptor(p, false))                     \
	_(chmod_by_descriptor, by_path_of_descriptor(p, true))

#define CALL_NUMBER(name, expression) CALL_##name,
#define CALL_NAME(name, expression)   #name,
#define CALL_MADE(name, expression)                                                    \
	case CALL_##name:                                                              \
		return expression;

enum call { CALLS(CALL_NUMBER) CALL_COUNT };
static const char *const call_names[] = {CALLS(CALL_NAME)};

static int make_call(enum call call, const struct place *p)
{
	switch (call) {
		CALLS(CALL_MADE)
	default:
		abort();
	}
}

/* ------------------------------------------------------------------ the callers */

static const struct caller {
	const char *name;
	uid_t id; /* of user and group */
	bool in_staff;
	uint64_t with;	  /* capabilities, of a user */
	uint64_t without; /* of root */
} callers[] = {
	{.name = "alice", .id = ALICE},
	{.name = "alice of staff", .id = ALICE, .in_staff = true},
	{.name = "bob", .id = BOB},
	{.name = "root"},
	{.name = "root without FSETID", .without = 1ull << CAP_FSETID},
	{.name = "root without DAC",
	 .without = 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH},
	{.name = "root without FOWNER", .without = 1ull << CAP_FOWNER},
	{.name = "root without SYS_ADMIN", .without = 1ull << CAP_SYS_ADMIN},
	{.name = "root without CHOWN", .without = 1ull << CAP_CHOWN},
	{.name = "root without SETFCAP", .without = 1ull << CAP_SETFCAP},
	{.name = "root without any", .without = ~0ull},
	{.name = "alice with FSETID", .id = ALICE, .with = 1ull << CAP_FSETID},
	{.name = "alice with FOWNER", .id = ALICE, .with = 1ull << CAP_FOWNER},
};

static const struct owner {
	uid_t uid;
	gid_t gid;
} owners[] = {{ALICE, ALICE}, {ALICE, STAFF}, {0, 0}, {BOB, STAFF}};

static const mode_t modes[] = {0644,  04755, 02755, 06755, 02745, 06777,
			       02766, 04666, 02676, 0400,  0000};

static void keep_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct caps[2];

	ok(syscall(SYS_capget, &header, caps));
	for (unsigned i = 0; i < 2; i++) {
		caps[i].permitted &= (uint32_t)(keep >> (32 * i));
		caps[i].effective = caps[i].permitted;
		caps[i].inheritable = 0;
	}
	ok(syscall(SYS_capset, &header, caps));
}

static void become(const struct caller *caller)
{
	const gid_t staff = STAFF;

	ok(setgroups(caller->in_staff, &staff));
	ok(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
	ok(setresgid(caller->id, caller->id, caller->id));
	ok(setresuid(caller->id, caller->id, caller->id));
	keep_capabilities(caller->id == 0 ? ~caller->without : caller->with);
}

/* ---------------------------------------------------------------- the files */

/* What a name is like. */
struct state {
	bool there, has_capability, has_old_time;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	off_t size;
	nlink_t links;
};

static struct state state_of(const char *name)
{
	struct state state = {0};
	struct stat st;
	char value[64];

	if (lstat(name, &st) < 0)
		return state;
	state.there = true;
	state.mode = st.st_mode & 07777;
	state.uid = st.st_uid;
	state.gid = st.st_gid;
	state.size = st.st_size;
	state.links = st.st_nlink;
	state.has_old_time = st.st_mtim.tv_sec == 1;
	state.has_capability =
		getxattr(name, "security.capability", value, sizeof(value)) >= 0;
	return state;
}

static bool same_state(const struct state *a, const struct state *b)
{
	return a->there == b->there && a->has_capability == b->has_capability &&
	       a->has_old_time == b->has_old_time && a->mode == b->mode &&
	       a->uid == b->uid && a->gid == b->gid && a->size == b->size &&
	       a->links == b->links;
}

static void make(const char *name, const struct owner *owner, mode_t mode)
{
	const int fd = ok(open(name, O_RDWR | O_CREAT | O_EXCL, 0600));

	ok(ftruncate(fd, SIZE));
	ok(fsetxattr(fd, "trusted.t", "1", 1, 0));
	ok(fsetxattr(fd, "user.u", "1", 1, 0));
	ok(fchown(fd, owner->uid, owner->gid));
	ok(fchmod(fd, mode));
	if (mode == 04755 && owner->gid == ALICE)
		ok(fsetxattr(fd, "security.capability", some_capability, 20, 0));
	ok(close(fd));
}

/* -------------------------------------------------------------- differences */

struct outcome {
	int error; /* what the call said */
	struct state first, second;
};

struct combination {
	const struct caller *caller;
	const struct owner *owner;
	mode_t mode;
	enum call call;
};

static bool same_outcome(const struct outcome *a, const struct outcome *b)
{
	return a->error == b->error && same_state(&a->first, &b->first) &&
	       same_state(&a->second, &b->second);
}

/* Whether a file has something that makes more of who runs it, or is another's. */
static bool is_stronger(const struct state *mount, const struct state *native)
{
	return mount->mode & ~native->mode & (S_ISUID | S_ISGID) ||
	       (mount->has_capability && !native->has_capability) ||
	       mount->uid != native->uid || mount->gid != native->gid;
}

/* Whether the caller has got done what is refused him in the store. */
static bool is_more(const struct outcome *mount, const struct outcome *native,
		    const struct state *before)
{
	if (is_stronger(&mount->first, &native->first) && native->first.there &&
	    mount->first.there)
		return true;
	if (native->error == 0 || (native->error >= 1000 && mount->error < 1000))
		return false;
	if (native->error >= 1000)
		return mount->error > native->error;
	/* He is told that it is done. Is it? */
	return mount->error == 0 && !same_state(&mount->first, before);
}

static bool is_in_staff(const struct caller *caller)
{
	return caller->in_staff;
}

static bool has(const struct caller *caller, unsigned capability)
{
	return caller->id == 0 ? !(caller->without >> capability & 1)
			       : caller->with >> capability & 1;
}

/* Whether the modes let him read and write the file. */
static bool may_change(const struct combination *c)
{
	const struct caller *caller = c->caller;
	mode_t bits = c->mode;

	if (has(caller, CAP_DAC_OVERRIDE))
		return true;
	if (caller->id == c->owner->uid)
		bits >>= 6;
	else if (caller->id == c->owner->gid ||
		 (c->owner->gid == STAFF && is_in_staff(caller)))
		bits >>= 3;
	return (bits & 6) == 6;
}

/* make() gives one of them a capability. */
static bool is_capable_file(const struct combination *c)
{
	return c->mode == 04755 && c->owner->gid == ALICE;
}

static bool loses_capability_to_a_mapping(const struct combination *c)
{
	return c->call == CALL_store_mapped && is_capable_file(c) && may_change(c);
}

static bool loses_capability_before_a_refusal(const struct combination *c)
{
	const bool chowns = c->call == CALL_chown_own_group ||
			    c->call == CALL_chown_nothing ||
			    c->call == CALL_chown_group || c->call == CALL_chown_root;

	return chowns && is_capable_file(c) && c->caller->id == 0 &&
	       has(c->caller, CAP_SETFCAP) && !has(c->caller, CAP_FOWNER);
}

/* Where somebody can do less, or is told something else: each with its reason. */
static const struct {
	const char *reason;
	bool (*is)(const struct combination *c);
} listed[] = {
	{"what was stored through a mapping comes to the store as a write, and the store "
	 "takes a file's capabilities away at every write",
	 loses_capability_to_a_mapping},
	{"before a change of owner the kernel takes the capabilities away, in a request of "
	 "its own, which the caller may make; then the change is refused",
	 loses_capability_before_a_refusal},
};

static const char *reason_to_differ(const struct combination *c)
{
	for (size_t i = 0; i < LENGTH(listed); i++)
		if (listed[i].is(c))
			return listed[i].reason;
	return NULL;
}

static void describe_state(const char *what, const struct outcome *outcome)
{
	const struct state *s = &outcome->first;

	printf("#   %s: %s; %s mode %04o of %u:%u, %lld bytes%s%s%s\n", what,
	       outcome->error >= 1000 ? "a list" : strerror(outcome->error),
	       s->there ? "there," : "gone,", s->mode, s->uid, s->gid,
	       (long long)s->size, s->has_capability ? ", capable" : "",
	       s->has_old_time ? ", time set" : "",
	       outcome->second.there ? ", second" : "");
}

static void tell_difference(const char *why, const struct combination *c,
			    const struct outcome *mount, const struct outcome *native)
{
	printf("# %s: %s, %s of a file of %u:%u with mode %04o\n", why, c->caller->name,
	       call_names[c->call], c->owner->uid, c->owner->gid, c->mode);
	describe_state("store", native);
	describe_state("mount", mount);
}

/* ------------------------------------------------------------------- the run */

/* In memory that both processes have. */
struct shared {
	struct place native[CALL_COUNT], mount[CALL_COUNT];
	char behind[CALL_COUNT][PATH_MAX], behind_second[CALL_COUNT][PATH_MAX];
	int native_said[CALL_COUNT], mount_said[CALL_COUNT];
};
static struct shared *shared;
static unsigned long combinations, more, unlisted;

static void make_calls(void)
{
	for (enum call call = 0; call < CALL_COUNT; call++) {
		shared->native_said[call] = make_call(call, &shared->native[call]);
		shared->mount_said[call] = make_call(call, &shared->mount[call]);
	}
}

/* Makes the calls whenever it reads a byte. */
static pid_t start_caller(const struct caller *caller, int orders[2], int answers[2])
{
	pid_t pid;
	char byte;

	ok(pipe(orders));
	ok(pipe(answers));
	pid = ok(fork());
	if (pid == 0) {
		close(orders[1]);
		become(caller);
		while (read(orders[0], &byte, 1) == 1) {
			make_calls();
			ok(write(answers[1], "", 1));
		}
		_exit(0);
	}
	close(orders[0]);
	close(answers[1]);
	return pid;
}

static void prepare(const struct owner *owner, mode_t mode, unsigned round)
{
	for (unsigned call = 0; call < CALL_COUNT; call++) {
		struct place *native = &shared->native[call];
		struct place *mount = &shared->mount[call];
		char name[32], second[40];

		snprintf(name, sizeof(name), "m/%u-%u", round, call);
		snprintf(second, sizeof(second), "%s.2", name);
		snprintf(mount->name, sizeof(mount->name), "%s", name);
		snprintf(mount->second, sizeof(mount->second), "%s", second);
		snprintf(shared->behind[call], PATH_MAX, "%s", behind(name));
		snprintf(shared->behind_second[call], PATH_MAX, "%s", behind(second));
		name[0] = second[0] = 'n';
		snprintf(native->name, sizeof(native->name), "%s", behind(name));
		snprintf(native->second, sizeof(native->second), "%s", behind(second));
		make(native->name, owner, mode);
		make(shared->behind[call], owner, mode);
	}
}

static void judge(const struct combination *c, const struct state *before)
{
	const struct place *native_place = &shared->native[c->call];
	const struct place *mount_place = &shared->mount[c->call];
	const struct outcome native = {shared->native_said[c->call],
				       state_of(native_place->name),
				       state_of(native_place->second)};
	const struct outcome mount = {shared->mount_said[c->call],
				      state_of(shared->behind[c->call]),
				      state_of(shared->behind_second[c->call])};
	const struct state shown = state_of(mount_place->name);

	combinations++;
	if (!same_state(&shown, &mount.first)) {
		unlisted++;
		tell_difference("the mount shows something else than is there", c,
				&(struct outcome){mount.error, shown, {0}}, &mount);
	}
	if (is_more(&mount, &native, before)) {
		more++;
		tell_difference("more", c, &mount, &native);
	} else if (same_outcome(&mount, &native) == (reason_to_differ(c) != NULL)) {
		unlisted++;
		tell_difference(reason_to_differ(c) ? "listed, and the same"
						    : "unlisted",
				c, &mount, &native);
	}
}

static void remove_all(void)
{
	for (unsigned call = 0; call < CALL_COUNT; call++) {
		unlink(shared->native[call].name);
		unlink(shared->native[call].second);
		unlink(shared->behind[call]);
		unlink(shared->behind_second[call]);
	}
}

static void run_caller(const struct caller *caller)
{
	static unsigned round;
	int orders[2], answers[2], status;
	const pid_t pid = start_caller(caller, orders, answers);
	char byte;

	for (unsigned o = 0; o < LENGTH(owners); o++)
		for (unsigned m = 0; m < LENGTH(modes); m++) {
			struct state before;

			prepare(&owners[o], modes[m], round++);
			before = state_of(shared->behind[0]);
			ok(write(orders[1], "", 1));
			ck_assert_int_eq(ok(read(answers[0], &byte, 1)), 1);
			for (enum call call = 0; call < CALL_COUNT; call++)
				judge(&(struct combination){caller, &owners[o],
							    modes[m], call},
				      &before);
			remove_all();
		}
	close(orders[1]);
	close(answers[0]);
	ok(waitpid(pid, &status, 0));
	ck_assert_int_eq(status, 0);
}

static void make_directories(void)
{
	static const char *const names[] = {"m", "n"};

	for (unsigned i = 0; i < LENGTH(names); i++) {
		char from[PATH_MAX];
		int fd;

		ok(mkdir(names[i], 01777));
		ok(chmod(names[i], 01777));
		snprintf(from, sizeof(from), "%s/from", names[i]);
		fd = ok(open(behind(from), O_WRONLY | O_CREAT, 0644));
		write_all(fd, much, 2 * PAGE, 0);
		ok(close(fd));
		for (unsigned call = 0; call < CALL_COUNT; call++) {
			struct place *place =
				i == 0 ? &shared->mount[call] : &shared->native[call];

			place->on_mount = i == 0;
			snprintf(place->from, sizeof(place->from), "%s",
				 i == 0 ? from : behind(from));
		}
	}
}

static void as_in_the_store(const char *name)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	ok(chmod(".", 0755));
	make_directories();
	if (!kernel_passes_zero_range())
		zero_mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	for (unsigned i = 0; i < LENGTH(callers); i++)
		if (strcmp(callers[i].name, name) == 0)
			run_caller(&callers[i]);
	printf("# %lu combinations, %lu allow more, %lu differ from the list\n",
	       combinations, more, unlisted);
	ck_assert_uint_eq(combinations, LENGTH(owners) * LENGTH(modes) * CALL_COUNT);
	ck_assert_uint_eq(more, 0);
	ck_assert_uint_eq(unlisted, 0);
}

/* One test for each, since together they would take too long for one. */
#define CALLERS(_)                                                                     \
	_(alice_does_no_more_than_in_the_store, "alice")                               \
	_(a_member_of_a_group_does_no_more, "alice of staff")                          \
	_(a_stranger_does_no_more, "bob")                                              \
	_(root_does_no_more, "root")                                                   \
	_(root_without_fsetid_does_no_more, "root without FSETID")                     \
	_(root_without_dac_override_does_no_more, "root without DAC")                  \
	_(root_without_fowner_does_no_more, "root without FOWNER")                     \
	_(root_without_sys_admin_does_no_more, "root without SYS_ADMIN")               \
	_(root_without_chown_does_no_more, "root without CHOWN")                       \
	_(root_without_setfcap_does_no_more, "root without SETFCAP")                   \
	_(root_without_capabilities_does_no_more, "root without any")                  \
	_(a_user_with_fsetid_does_no_more, "alice with FSETID")                        \
	_(a_user_with_fowner_does_no_more, "alice with FOWNER")

#define CALLER_TEST(test, name)                                                        \
	START_TEST(test)                                                               \
	{                                                                              \
		as_in_the_store(name);                                                 \
	}                                                                              \
	END_TEST
#define CALLER_LISTED(test, name) root_only(test);

CALLERS(CALLER_TEST)

void describe(void)
{
	CALLERS(CALLER_LISTED)
}
