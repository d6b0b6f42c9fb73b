/* SPDX-License-Identifier: MIT */
/*
 * File handles (name_to_handle_at, what an NFS server uses): they find the file again
 * after the kernel has forgotten it, wherever it has moved, until it is deleted.
 */

#include "files.h"

struct handle {
	struct file_handle fh;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static struct handle handle_of(const char *name)
{
	struct handle handle = {.fh.handle_bytes = MAX_HANDLE_SZ};
	int mount_id;

	ok(name_to_handle_at(AT_FDCWD, name, &handle.fh, &mount_id, 0));
	return handle;
}

static int open_handle(struct handle *handle, int flags)
{
	const int mount_fd = ok(open(".", O_RDONLY | O_DIRECTORY));
	const int fd = open_by_handle_at(mount_fd, &handle->fh, flags);
	const int error = errno;

	ok(close(mount_fd));
	errno = error;
	return fd;
}

/* Everything that nobody uses leaves the kernel's caches. */
static void make_the_kernel_forget(void)
{
	const int fd = ok(open("/proc/sys/vm/drop_caches", O_WRONLY));

	sync();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ok(write(fd, "3", 1)), 1);
	ok(close(fd));
}

START_TEST(a_handle_finds_the_file)
{
	struct handle handle;

	ok(close(make_file("f", 10000, 1)));
	handle = handle_of("f");
	has_bytes(ok(open_handle(&handle, O_RDONLY)), 0, 10000, 1);
}
END_TEST

START_TEST(a_handle_finds_the_file_after_the_kernel_has_forgotten_it)
{
	struct handle handle;
	ino_t ino;
	int fd;

	ok(mkdir("d", 0755));
	ok(close(make_file("d/f", 10000, 1)));
	ino = stat_of("d/f").st_ino;
	handle = handle_of("d/f");
	make_the_kernel_forget();
	fd = ok(open_handle(&handle, O_RDWR));
	ck_assert_uint_eq(fstat_of(fd).st_ino, ino);
	has_bytes(fd, 0, 10000, 1);
	put_bytes(fd, 10000, 10000, 1);
	ok(close(fd));
	has_bytes(ok(open("d/f", O_RDONLY)), 0, 20000, 1);
}
END_TEST

START_TEST(a_handle_of_a_directory_finds_it)
{
	struct handle handle;
	int fd;

	ok(mkdir("d", 0755));
	make_text("d/f", "x");
	handle = handle_of("d");
	make_the_kernel_forget();
	fd = ok(open_handle(&handle, O_RDONLY | O_DIRECTORY));
	ok(faccessat(fd, "f", R_OK, 0));
	/* Found by handle, it is also connected to where it hangs. */
	ok(faccessat(fd, "../d/f", R_OK, 0));
}
END_TEST

START_TEST(a_handle_follows_a_renamed_file)
{
	struct handle handle;

	ok(mkdir("d", 0755));
	ok(close(make_file("f", 10000, 1)));
	handle = handle_of("f");
	ok(rename("f", "d/g"));
	make_the_kernel_forget();
	has_bytes(ok(open_handle(&handle, O_RDONLY)), 0, 10000, 1);
}
END_TEST

START_TEST(a_handle_of_a_deleted_file_is_stale_and_stays_so)
{
	struct handle handle;

	ok(close(make_file("f", 10000, 1)));
	handle = handle_of("f");
	ok(unlink("f"));
	make_the_kernel_forget();
	fails_with(ESTALE, open_handle(&handle, O_RDONLY));
	/* A new file with the old one's inode number is another file. */
	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "new%d", i);
		ok(close(make_file(name, 100, 2)));
	}
	fails_with(ESTALE, open_handle(&handle, O_RDONLY));
}
END_TEST

START_TEST(many_handles_are_all_good_after_the_kernel_has_forgotten)
{
	enum { COUNT = 300 };
	static struct handle handles[COUNT];

	for (unsigned i = 0; i < COUNT; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		ok(close(make_file(name, 100, i)));
		handles[i] = handle_of(name);
	}
	make_the_kernel_forget();
	for (unsigned i = 0; i < COUNT; i++) {
		const int fd = ok(open_handle(&handles[i], O_RDONLY));

		has_bytes(fd, 0, 100, i);
		ok(close(fd));
	}
}
END_TEST

void describe(void)
{
	root_only(a_handle_finds_the_file);
	root_only(a_handle_finds_the_file_after_the_kernel_has_forgotten_it);
	root_only(a_handle_of_a_directory_finds_it);
	root_only(a_handle_follows_a_renamed_file);
	root_only(a_handle_of_a_deleted_file_is_stale_and_stays_so);
	root_only(many_handles_are_all_good_after_the_kernel_has_forgotten);
}
