/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_LIBFUSE_COMPAT_H
#define FUSEFS_LIBFUSE_COMPAT_H

/*
 * libfuse, 3.10 and later: all that differs between its versions is told apart here, by
 * name. Who needs libfuse's header includes this one.
 *
 * What is missing costs speed at most. How it is dealt with where it is missing stands
 * beside its use.
 */

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 10)
#include <fuse_lowlevel.h>

#include <stdint.h>

/* fuse_file_info has noflush: no FLUSH for whoever has nothing to report at close. */
#define LIBFUSE_HAS_NOFLUSH   (FUSE_VERSION >= FUSE_MAKE_VERSION(3, 11))
/* fuse_session_custom_io(): requests and answers pass through functions of ours. */
#define LIBFUSE_HAS_CUSTOM_IO (FUSE_VERSION >= FUSE_MAKE_VERSION(3, 13))
/* What is offered and wanted has 64 bits: capable_ext, want_ext. */
#define LIBFUSE_HAS_WANT_EXT  (FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17))

/* Flags of INIT that libfuse hands on to the kernel, by the version from which it does.
 * Without it they are nothing, here; see init_answer.h. */
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
#define LIBFUSE_CAP_PARALLEL_DIROPS    FUSE_CAP_PARALLEL_DIROPS /* ignored before */
#define LIBFUSE_CAP_HANDLE_KILLPRIV_V2 FUSE_CAP_HANDLE_KILLPRIV_V2
#else
#define LIBFUSE_CAP_PARALLEL_DIROPS    0
#define LIBFUSE_CAP_HANDLE_KILLPRIV_V2 0
#endif
/* Since 3.18. */
#ifdef FUSE_CAP_OVER_IO_URING
#define LIBFUSE_CAP_OVER_IO_URING FUSE_CAP_OVER_IO_URING
#else
#define LIBFUSE_CAP_OVER_IO_URING 0
#endif

/* For the operation init: FUSE_CAP_ and LIBFUSE_CAP_ flags. */

/** Those of flags that kernel and libfuse can do. */
static inline uint64_t libfuse_offered(const struct fuse_conn_info *conn,
				       uint64_t flags)
{
#if LIBFUSE_HAS_WANT_EXT
	return conn->capable_ext & flags;
#else
	return conn->capable & flags;
#endif
}

/** Ask for those of flags that are offered.
 *  @return these */
static inline uint64_t libfuse_want(struct fuse_conn_info *conn, uint64_t flags)
{
	const uint64_t offered = libfuse_offered(conn, flags);

#if LIBFUSE_HAS_WANT_EXT
	fuse_set_feature_flag(conn, offered);
#else
	conn->want |= (unsigned)offered;
#endif
	return offered;
}

/** Ask for none of flags, whatever libfuse asks for by itself. */
static inline void libfuse_refuse(struct fuse_conn_info *conn, uint64_t flags)
{
#if LIBFUSE_HAS_WANT_EXT
	fuse_unset_feature_flag(conn, flags);
#else
	conn->want &= ~(unsigned)flags;
#endif
}

#endif
