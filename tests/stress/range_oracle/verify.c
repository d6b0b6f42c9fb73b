/* SPDX-License-Identifier: MIT */

#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "touch.h"

/* One way to look at the file: by descriptor, or through a mapping. */
struct observer {
	const char *name;
	int fd;
	const uint64_t *mapping; /* NULL: use fd */
};

static bool get_page(const struct observer *observer, uint32_t index,
		     uint64_t *ret_page)
{
	const uint64_t *words = observer->mapping + (size_t)index * PAGE_WORDS;

	if (!observer->mapping)
		return pread(observer->fd, ret_page, ORACLE_PAGE_SIZE,
			     (off_t)index * ORACLE_PAGE_SIZE) == ORACLE_PAGE_SIZE;
	for (unsigned w = 0; w < PAGE_WORDS; w++)
		if (!touch_load(words + w, ret_page + w))
			return false;
	return true;
}

/* Additions and writes of a page that is the right one. Returns whether all agree. */
static bool audit_accounts(const struct account *account, const uint64_t *page,
			   struct audit *audit)
{
	uint64_t lost = 0, doubled = 0, wrong = 0;

	for (unsigned c = 0; c < PAGE_CELLS; c++) {
		const uint64_t found = cell_count(page[cell_word[c]]);
		const uint64_t made = atomic_load(&account->adds[c]);

		lost += made > found ? made - found : 0;
		doubled += found > made ? found - made : 0;
	}
	for (unsigned s = 0; s < PAGE_SLOTS; s++)
		wrong += page[SLOT_WORD + s] !=
			 slot_value(s, atomic_load(&account->slot[s]));
	audit->adds_lost += lost;
	audit->adds_doubled += doubled;
	audit->writes_wrong += wrong;
	return lost == 0 && doubled == 0 && wrong == 0;
}

static void audit_page(struct oracle *oracle, const struct observer *observer,
		       uint64_t state, uint32_t index, struct audit *audit)
{
	_Alignas(ORACLE_PAGE_SIZE) uint64_t page[PAGE_WORDS];
	const uint32_t identity = model_identity(oracle->model, state, index);
	int word;

	audit->pages++;
	if (!get_page(observer, index, page)) {
		audit->pages_wrong++;
		violation(oracle,
			  "audit, %s: index %" PRIu32 " of %" PRIu32 " is not readable",
			  observer->name, index, model_npages(oracle->model, state));
		return;
	}
	word = page_compare(page, identity);
	if (word >= 0) {
		audit->pages_wrong++;
		violation(oracle,
			  "audit, %s: index %" PRIu32 " should be page #%" PRIu32
			  "; from word %d on it is not (page #%" PRIu32 "?)",
			  observer->name, index, identity, word,
			  cell_identity(page[cell_word[0]]));
	} else if (identity != 0 &&
		   !audit_accounts(&oracle->accounts[identity], page, audit)) {
		violation(oracle,
			  "audit, %s: index %" PRIu32 ", page #%" PRIu32
			  ": additions or writes do not agree with the accounts",
			  observer->name, index, identity);
	}
}

static void audit_observer(struct oracle *oracle, const struct observer *observer,
			   struct audit *audit)
{
	const uint64_t state = model_before(oracle->model);
	const uint32_t npages = model_npages(oracle->model, state);
	uint64_t value;

	for (uint32_t index = 0; index < npages; index++)
		audit_page(oracle, observer, state, index, audit);
	if (observer->mapping && npages < oracle->zones.max_pages &&
	    touch_load(observer->mapping + (size_t)npages * PAGE_WORDS, &value))
		violation(oracle, "audit, %s: no SIGBUS past the end", observer->name);
}

static void audit_size(struct oracle *oracle, const char *who, int fd)
{
	const uint32_t npages =
		model_npages(oracle->model, model_before(oracle->model));
	struct stat st;

	if (fstat(fd, &st) < 0)
		violation(oracle, "audit, %s: fstat: %s", who, strerror(errno));
	else if (st.st_size != (off_t)npages * ORACLE_PAGE_SIZE)
		violation(oracle,
			  "audit, %s: size %" PRIdMAX " where the model has %" PRIu32
			  " pages",
			  who, (intmax_t)st.st_size, npages);
}

/* The store's own file, which is right as soon as everything has been synced. */
static void audit_store(struct oracle *oracle, int fd, const char *path,
			struct audit *audit)
{
	struct observer observer = {.name = "store", .fd = open(path, O_RDONLY)};

	if (observer.fd < 0) {
		violation(oracle, "audit: cannot open %s: %s", path, strerror(errno));
		return;
	}
	if (fsync(fd) < 0)
		violation(oracle, "audit: fsync: %s", strerror(errno));
	audit_size(oracle, observer.name, observer.fd);
	audit_observer(oracle, &observer, audit);
	close(observer.fd);
}

void verify_all(struct oracle *oracle, const struct view *view, const char *store_path,
		struct audit *audit)
{
	const struct observer observers[] = {
		{"shared mapping", -1, view->shared},
		{"private mapping", -1, view->private},
		{"read(2)", view->fd, NULL},
		{"O_DIRECT", view->direct_fd, NULL},
	};

	audit->audits++;
	audit_size(oracle, "fstat", view->fd);
	for (size_t i = 0; i < sizeof(observers) / sizeof(observers[0]); i++)
		if (observers[i].mapping || observers[i].fd >= 0)
			audit_observer(oracle, &observers[i], audit);
	if (store_path)
		audit_store(oracle, view->fd, store_path, audit);
}
