/* SPDX-License-Identifier: MIT */

/*
 * The oracle: does a file stay true while it is rearranged under everybody's hands?
 *
 *	range_oracle --seconds=600 --processes=3 --links MOUNTPOINT/DIRECTORY
 *
 * One thread collapses, inserts, moves, punches and zeroes ranges of a mapped file.
 * Meanwhile the workers, in one or several processes, add to counters through shared
 * mappings, load, read and write, each as it likes, with no lock in common with
 * anybody. Two things make exact verdicts possible nevertheless. Pages carry
 * identities, so an addition learns where it landed (page.h). And an access knows, from
 * two counters, which states of the file it may have seen (model.h), so each is judged
 * on the spot (judge.h). From time to time everybody stands still for an audit of the
 * whole file (verify.h): every page at its index, every addition on its page exactly
 * once.
 *
 * Validated both ways: with --native it passes on XFS and ext4, whose own collapse and
 * insert keep this promise, and with --wrong it finds violations within a second.
 *
 * This file: start everybody, watch that nobody hangs, clean up.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "report.h"
#include "settings.h"
#include "shifter.h"
#include "touch.h"
#include "worker.h"

#define VIOLATIONS_TOLD 20
#define WATCH_US	20000

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

uint32_t random_below(uint64_t *state, uint32_t bound)
{
	return (uint32_t)((random_next(state) >> 32) * bound >> 32);
}

/* Distinct for each thread of each seed, and never 0. */
static uint64_t random_seed(const struct settings *settings, unsigned number)
{
	uint64_t state = (settings->seed << 16 | number) * 0x9e3779b97f4a7c15u + 1;

	for (int i = 0; i < 8; i++)
		random_next(&state);
	return state;
}

void violation(struct oracle *oracle, const char *format, ...)
{
	const unsigned before = atomic_fetch_add(&oracle->violations, 1);
	char text[2048];
	va_list args;

	if (before >= VIOLATIONS_TOLD)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* One call, so that messages of several threads stay whole. */
	fprintf(stderr, "VIOLATION: %s\n", text);
}

/* Zeroed memory that all processes share. Only what is touched is ever allocated. */
static void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		fprintf(stderr, "range_oracle: no memory: %s\n", strerror(errno));
		exit(2);
	}
	return memory;
}

static struct oracle *oracle_create(const struct settings *settings)
{
	struct oracle *oracle = shared_memory(sizeof(*oracle));
	pthread_mutexattr_t attributes;

	oracle->settings = *settings;
	oracle->zones = settings_zones(settings);
	oracle->nworkers = settings->processes * settings->threads;
	oracle->running = oracle->nworkers;
	/* One more for the shifter's own looks. */
	oracle->workers = shared_memory((oracle->nworkers + 1) * sizeof(struct worker));
	oracle->accounts =
		shared_memory(((size_t)IDENTITY_MAX + 1) * sizeof(struct account));
	oracle->model = model_create(settings->pages, oracle->zones.max_pages);
	if (!oracle->model) {
		fprintf(stderr, "range_oracle: no memory: %s\n", strerror(errno));
		exit(2);
	}
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&oracle->op_lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return oracle;
}

static struct self make_self(struct oracle *oracle, const struct view *view,
			     unsigned number)
{
	return (struct self){
		.oracle = oracle,
		.worker = &oracle->workers[number],
		.view = view,
		.number = number,
		.random = random_seed(&oracle->settings, number),
	};
}

/* The workers of one process. */
struct crew {
	struct self selves[WORKERS_MAX];
	pthread_t threads[WORKERS_MAX];
	unsigned size;
};

static void start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	const int error = pthread_create(thread, NULL, run, arg);

	if (error) {
		fprintf(stderr, "range_oracle: no thread: %s\n", strerror(error));
		_exit(2);
	}
}

static void crew_start(struct crew *crew, struct oracle *oracle,
		       const struct view *view, unsigned process)
{
	crew->size = oracle->settings.threads;
	for (unsigned t = 0; t < crew->size; t++) {
		crew->selves[t] = make_self(oracle, view, process * crew->size + t);
		start_thread(&crew->threads[t], worker_run, &crew->selves[t]);
	}
}

static void crew_join(struct crew *crew)
{
	for (unsigned t = 0; t < crew->size; t++)
		pthread_join(crew->threads[t], NULL);
}

static pid_t start_process(struct oracle *oracle, struct view *view, unsigned process)
{
	const pid_t pid = fork();
	struct crew crew;

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (file_map(view, oracle->zones.max_pages) < 0) {
		perror("range_oracle: mmap");
		_exit(2);
	}
	crew_start(&crew, oracle, view, process);
	crew_join(&crew);
	_exit(0);
}

/* ------------------------------------------------------------------- watching */

static bool too_old(uint64_t since_ns, uint64_t limit_ns)
{
	return since_ns != 0 && now_ns() > since_ns + limit_ns;
}

/* Somebody waits for ever: say who, and leave. Nobody can be asked to stop. */
static bool somebody_hangs(struct oracle *oracle)
{
	const uint64_t limit_ns = oracle->settings.hang_s * UINT64_C(1000000000);
	bool hangs = too_old(atomic_load(&oracle->shifter_busy_since_ns), limit_ns);

	if (hangs)
		violation(oracle,
			  "HANG: operation %" PRIu64 " has not returned in %u s",
			  model_before(oracle->model) + 1, oracle->settings.hang_s);
	for (unsigned w = 0; w <= oracle->nworkers; w++) {
		struct worker *worker = &oracle->workers[w];

		if (!too_old(atomic_load(&worker->busy_since_ns), limit_ns))
			continue;
		violation(oracle,
			  "HANG: thread %u, %s at index %" PRIu32
			  " has not returned in %u s",
			  w, access_name[atomic_load(&worker->busy_kind)],
			  atomic_load(&worker->busy_index), oracle->settings.hang_s);
		hangs = true;
	}
	return hangs;
}

/* Take note of children that have ended. Returns false if one has not ended well: then
 * the others may wait for it for ever. */
static bool reap(struct oracle *oracle, pid_t *pids, unsigned npids)
{
	for (unsigned p = 0; p < npids; p++) {
		int status;

		if (pids[p] == 0 || waitpid(pids[p], &status, WNOHANG) == 0)
			continue;
		pids[p] = 0;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
			violation(oracle, "a process ended with wait status 0x%x",
				  (unsigned)status);
			return false;
		}
	}
	return true;
}

static bool all_reaped(const pid_t *pids, unsigned npids)
{
	for (unsigned p = 0; p < npids; p++)
		if (pids[p] != 0)
			return false;
	return true;
}

/* Until everybody has stopped. Returns false if they never will. */
static bool watch(struct oracle *oracle, pid_t *pids, unsigned npids)
{
	while (!atomic_load(&oracle->stop) || atomic_load(&oracle->running) > 0 ||
	       !all_reaped(pids, npids)) {
		usleep(WATCH_US);
		if (!reap(oracle, pids, npids) || somebody_hangs(oracle))
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------------ main */

static void run(struct oracle *oracle, struct test_file *file, struct shifter *shifter)
{
	pid_t pids[PROCESSES_MAX] = {0};
	const unsigned nchildren = file->nviews - 1;
	static struct crew crew;
	pthread_t thread;

	for (unsigned p = 0; p < nchildren; p++) {
		pids[p] = start_process(oracle, &file->views[p + 1], p + 1);
		if (pids[p] < 0) {
			perror("range_oracle: fork");
			exit(2);
		}
	}
	crew_start(&crew, oracle, &file->views[0], 0);
	start_thread(&thread, shifter_run, shifter);
	if (!watch(oracle, pids, nchildren)) {
		for (unsigned p = 0; p < nchildren; p++)
			if (pids[p] > 0)
				kill(pids[p], SIGKILL);
		fflush(stdout);
		_exit(1);
	}
	pthread_join(thread, NULL);
	crew_join(&crew);
}

int main(int argc, char **argv)
{
	static struct shifter shifter;
	struct settings settings;
	struct test_file file;
	struct oracle *oracle;

	settings_parse(argc, argv, &settings);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("range_oracle --seed=%" PRIu64 " --seconds=%u --processes=%u "
	       "--threads=%u --pages=%" PRIu32 "%s%s%s%s %s\n",
	       settings.seed, settings.seconds, settings.processes, settings.threads,
	       settings.pages, settings.links ? " --links" : "",
	       settings.unlinked ? " --unlinked" : "",
	       settings.native ? " --native" : "",
	       settings.method == METHOD_COPY_SHIFT ? " --wrong" : "",
	       settings.directory);
	oracle = oracle_create(&settings);
	file_create(&settings, &file);
	touch_catch_sigbus();
	if (file_map(&file.views[0], oracle->zones.max_pages) < 0) {
		perror("range_oracle: mmap");
		return 2;
	}
	shifter = (struct shifter){
		.oracle = oracle,
		.view = &file.views[0],
		.self = make_self(oracle, &file.views[0], oracle->nworkers),
		.store_path = file.store_path,
		.next_identity = 1,
		.page = aligned_alloc(ORACLE_PAGE_SIZE, ORACLE_PAGE_SIZE),
	};
	shifter.self.page = aligned_alloc(ORACLE_PAGE_SIZE, ORACLE_PAGE_SIZE);
	if (!shifter.page || !shifter.self.page) {
		fprintf(stderr, "range_oracle: no memory\n");
		return 2;
	}
	shifter_begin(&shifter);
	run(oracle, &file, &shifter);
	report_all(oracle, &shifter);
	file_remove(&settings);
	/* Done wrongly, it must be found; otherwise there must be nothing to find. */
	return (atomic_load(&oracle->violations) > 0) !=
	       (settings.method == METHOD_COPY_SHIFT);
}
