/* SPDX-License-Identifier: MIT */
#ifndef FOLDX_TEAM_H
#define FOLDX_TEAM_H

/*
 * The processes that work on the file. Each has a descriptor and some mappings of its
 * own and does what it is told through memory shared with the one that leads, who keeps
 * the model and never touches the file: whatever hangs, the leader can tell.
 */

#include <semaphore.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "model.h"

/** One word, read or written while another process does something else. */
struct word_access {
	uint64_t offset;      /* bytes, a multiple of 8 */
	uint64_t value;	      /* to store; to find when loading: before, */
	uint64_t after;	      /* or this */
	bool may_be_past_end; /* it may be that there is no such byte */
	/* From here on the process's answers. */
	bool stored;
	bool wrong;	/* found neither, or could not be done */
	bool missing;	/* as there was no such byte */
	uint64_t found; /* the wrong value */
};

/** At most so many in one process. */
#define WORD_ACCESSES_MAX 512u

struct outcome {
	int err;	/* 0 or a negative errno */
	uint64_t done;	/* bytes read or written */
	uint64_t size;	/* after the operation, as fstat(2) has it */
	bool emulated;	/* the file system cannot: done in several steps */
	bool faulted;	/* SIGBUS at offset + done */
	bool on_foldfs; /* of ORDER_CREATE: the file is */
};

/** What a process is asked to do, beside operations of a trace. */
enum order {
	ORDER_OPERATION,
	ORDER_STEP,	/* likewise; others run together with it */
	ORDER_TOGETHER, /* accesses, again and again */
	ORDER_CREATE,	/* away with whatever is there; a new file */
	ORDER_OPEN,	/* the file that has been made */
	ORDER_REMOVE,	/* whatever is there */
};

struct station {
	sem_t go, done;
	pid_t pid;
	enum order order;
	struct operation op;
	struct outcome outcome;
	uint32_t naccesses;
	struct word_access accesses[WORD_ACCESSES_MAX];
	uint64_t loads; /* how many have been made, of all accesses */
	uint8_t data[]; /* read: room for the longest mapping */
};

/** What all may look at. */
struct board {
	char paths[2][4096]; /* the file's names */
	unsigned name;	     /* which is its name now */
	bool unlinked;
	_Atomic uint32_t awaited;    /* others who have not begun yet */
	_Atomic bool over;	     /* what they run together with has returned */
	_Atomic uint64_t typical_ns; /* for how long it lasts, lately */
};

struct team {
	struct limits limits;
	struct board *board;
	struct station *stations[16];
	size_t station_bytes;
	unsigned hang_s;
};

/** Bytes of each mapping: a page more than the file will ever have. */
uint64_t team_mapping_bytes(const struct limits *limits);

/**
 * Start the processes.
 * @param directory  where the file will be
 * @param hang_s     seconds after which an operation counts as hung
 * @return 0 or a negative errno; nothing to stop then
 */
int team_start(struct team *team, const struct limits *limits, const char *directory,
	       unsigned hang_s);
/** End them. Those that hang are left behind. */
void team_stop(struct team *team);

/** Have a process begin what stands in its station. */
void team_begin(struct team *team, uint32_t process);
/** Wait for it. @return 0; -ETIMEDOUT: it hangs; -ECHILD: the process has died */
int team_finish(struct team *team, uint32_t process);
/** Both. */
int team_do(struct team *team, uint32_t process, enum order order,
	    const struct operation *op);

uint64_t team_now_ns(void);

#endif
