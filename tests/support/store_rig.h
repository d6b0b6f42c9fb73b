/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_STORE_RIG_H
#define TESTS_SUPPORT_STORE_RIG_H

/*
 * A SOURCE directory on a file system of a given kind, files in it whose every byte is
 * known, and a model of range operations to compare with.
 *
 * tmpfs is always there. ext4, XFS and btrfs are made in a file in memory and mounted
 * through a loop device, which takes root; where that does not work, rig_open() says so
 * and the test says that it was skipped.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shift_geometry.h"
#include "shift_target.h"
#include "store_range.h"

#define RIG_EVENTS 64

struct rig {
	char store[16];	 /* "tmpfs", "ext4", "xfs", "btrfs" */
	char dir[64];	 /* of the rig, removed at the end */
	char source[96]; /* SOURCE */
	bool mounted;
	int source_fd; /* O_PATH */
	struct store_range_ctx ctx;
	/* What was told: kinds in order, and the last text. */
	size_t nevents;
	enum store_event_kind events[RIG_EVENTS];
	char text[STORE_EVENT_TEXT_MAX];
	/* Files that recovery will not have served. */
	size_t nshut;
	struct {
		struct shift_identity file;
		uid_t owner;
	} shut[RIG_EVENTS];
	bool (*stop)(void *rig); /* for recovery */
};

/**
 * @param store       kind
 * @param size_bytes  of the file system; 0: large
 * @return whether it could be had; otherwise why not is on stderr
 */
bool rig_open(struct rig *rig, const char *store, uint64_t size_bytes);
void rig_close(struct rig *rig);
/** For the end of main(): remove the rigs of tests that failed, or were stopped. */
void rig_sweep(void);
/** Forget the events. */
void rig_forget(struct rig *rig);
/** Whether an event was told. */
bool rig_was_told(const struct rig *rig, enum store_event_kind kind);
/** Call back for events; arg is the rig. */
void rig_note(void *arg, const struct store_event *event);

/** shift_recover() on SOURCE; events are noted. */
int rig_recover(struct rig *rig);
/** The same on other system calls. */
int rig_recover_on(struct rig *rig, const struct store_io *io);
/** Whether the last recovery said that a file must not be served. */
bool rig_is_shut(const struct rig *rig, const char *name);
/** Whether SOURCE/.foldfs exists. */
bool rig_has_dir(const struct rig *rig);
/** The one file in SOURCE/.foldfs; fails the test if there is not exactly one. */
void rig_journal_path(const struct rig *rig, char path[static 256]);

/** A file's bytes. */
struct content {
	uint8_t *bytes;
	uint64_t size;
};

/** The bytes of a file of the rig: every third page or so a hole if sparse, all other
 *  bytes a pattern that no two places share. */
struct content content_make(uint64_t size, unsigned seed, bool sparse);
struct content content_copy(const struct content *from);
void content_free(struct content *content);
/** What the operation makes of it. */
void content_apply(struct content *content, const struct shift_geometry *geometry);
bool content_equal(const struct content *a, const struct content *b);

/** Write a file, holes included; an old one is replaced. Returns a descriptor for
 *  reading and writing. */
int rig_write(const struct rig *rig, const char *name, const struct content *content);
struct content rig_read(const struct rig *rig, const char *name);
/** Whether the file is as long as the content, and byte for byte the same. Unlike
 *  rig_read(), it takes no memory for all of it. */
bool rig_holds(const struct rig *rig, const char *name, const struct content *content);
struct content fd_read(int fd);
/** Bytes of a file that are holes. */
uint64_t fd_hole_bytes(int fd);

/** Run the operation with the rig's context. */
int rig_apply(struct rig *rig, int fd, const struct shift_geometry *geometry);

/** Bytes of `n` pages. */
#define PAGES(n) ((uint64_t)(n)*4096)

/** Operations on files of all shapes, for windows of RIG_WINDOW bytes and staging below
 *  RIG_STAGE_BELOW; the one after the last has len 0. */
#define RIG_WINDOW	PAGES(4)
#define RIG_STAGE_BELOW PAGES(3)
#define RIG_GEOMETRIES	19u
extern const struct shift_geometry rig_geometries[RIG_GEOMETRIES + 1];
/** Set those windows. */
void rig_small_windows(struct rig *rig);

#endif
