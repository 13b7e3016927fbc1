/*
 * fail.c: makes calls fail, for a program that runs with this library preloaded: the n-th of a kind, whoever makes it, the
 * program or a library of its. See fail.h for how it is told.
 *
 * Only what can fail does: an eventfd's reads and writes, and taking a descriptor out of an epoll set, cannot. Nor is there
 * EAGAIN, which the kernel follows up with an event.
 *
 * Under AddressSanitizer what stands behind the public names is the sanitizer's, so nothing here knows libc's own.
 */
#include "fail.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static struct failing unarmed;
static struct failing *failing = &unarmed;

static __attribute__((constructor)) void prepare(void)
{
	const char *path = getenv("RUNG_FAILURES");
	long fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	void *map = mmap(NULL, sizeof *failing, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
	close((int)fd);
	if (map != MAP_FAILED)
		failing = map;
}

EXPORT void failing_begin(void)
{
	atomic_store(&failing->call, atomic_load(&failing->at_begin));
}

/* -- which call fails -------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) void note_caller(void *caller)
{
	Dl_info info;
	const char *slash;

	if (!dladdr(caller, &info))
		return;
	slash = strrchr(info.dli_fname, '/');
	snprintf(failing->where, sizeof failing->where, "%s+0x%lx", slash ? slash + 1 : info.dli_fname,
		(unsigned long)((uintptr_t)caller - (uintptr_t)info.dli_fbase - 1));
}

/* The sanitizer's own calls, which it does not expect to fail. */
static _Thread_local __attribute__((tls_model("initial-exec"))) bool is_exempt;

static bool is_due(enum failing_call call, void *caller)
{
	if (atomic_load(&failing->call) != (int)call || is_exempt)
		return false;
	long n = atomic_fetch_add(&failing->seen, 1) + 1, first = atomic_load(&failing->first);

	if (n < first || n - first >= atomic_load(&failing->times))
		return false;
	if (n == first)
		note_caller(caller);
	atomic_fetch_add(&failing->fired, 1);
	errno = atomic_load(&failing->err);
	return true;
}

#define FAILS(call) is_due(call, __builtin_return_address(0))

/* Of files: how many bytes a call may do; with errno 0 it does half of them, and -1 means that it fails. */
static ssize_t part_of(enum failing_call call, size_t size, void *caller)
{
	if (!is_due(call, caller))
		return (ssize_t)size;
	return errno ? -1 : (ssize_t)((size + 1) / 2);
}

#define PART(call, size) part_of(call, size, __builtin_return_address(0))

static uintptr_t find(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function)
		abort();
	return (uintptr_t)function;
}

/* The function of this name that would have been called; found once. */
#define NEXT(name)                                                                           \
	__extension__({                                                                      \
		static _Atomic(__typeof__(&name)) found;                                     \
		__typeof__(&name) next = atomic_load_explicit(&found, memory_order_relaxed); \
		if (!next) {                                                                 \
			next = (__typeof__(&name))find(#name);                               \
			atomic_store_explicit(&found, next, memory_order_relaxed);           \
		}                                                                            \
		next;                                                                        \
	})

/* -- memory ------------------------------------------------------------------------------------------------------ */

EXPORT void *malloc(size_t size)
{
	return FAILS(FAIL_MEMORY) ? NULL : NEXT(malloc)(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
	return FAILS(FAIL_MEMORY) ? NULL : NEXT(calloc)(count, size);
}

EXPORT void *realloc(void *memory, size_t size)
{
	return size && FAILS(FAIL_MEMORY) ? NULL : NEXT(realloc)(memory, size);
}

EXPORT void *reallocarray(void *memory, size_t count, size_t size)
{
	return count && size && FAILS(FAIL_MEMORY) ? NULL : NEXT(reallocarray)(memory, count, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	return FAILS(FAIL_MEMORY) ? NULL : NEXT(aligned_alloc)(alignment, size);
}

EXPORT int posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
	return FAILS(FAIL_MEMORY) ? ENOMEM : NEXT(posix_memalign)(ret_memory, alignment, size);
}

/* -- descriptors ------------------------------------------------------------------------------------------------- */

/* Those of eventfd and timerfd, which are read and written without fail. */
static atomic_bool is_counter[1024];

static bool counts(int fd)
{
	return fd >= 0 && fd < 1024 && atomic_load(&is_counter[fd]);
}

static int note_counter(int fd)
{
	if (fd >= 0 && fd < 1024)
		atomic_store(&is_counter[fd], true);
	return fd;
}

EXPORT int eventfd(unsigned count, int flags)
{
	return FAILS(FAIL_EVENTFD) ? -1 : note_counter(NEXT(eventfd)(count, flags));
}

EXPORT int timerfd_create(clockid_t clock, int flags)
{
	return FAILS(FAIL_EVENTFD) ? -1 : note_counter(NEXT(timerfd_create)(clock, flags));
}

EXPORT int close(int fd)
{
	if (counts(fd))
		atomic_store(&is_counter[fd], false);
	return NEXT(close)(fd);
}

static mode_t mode_of(int flags, va_list arguments)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                                            \
	EXPORT int name(const char *path, int flags, ...)                     \
	{                                                                     \
		va_list arguments;                                            \
                                                                              \
		va_start(arguments, flags);                                   \
		mode_t mode = mode_of(flags, arguments);                      \
		va_end(arguments);                                            \
		return FAILS(FAIL_OPEN) ? -1 : NEXT(name)(path, flags, mode); \
	}
#define OPENAT(name)                                                                  \
	EXPORT int name(int folder, const char *path, int flags, ...)                 \
	{                                                                             \
		va_list arguments;                                                    \
                                                                                      \
		va_start(arguments, flags);                                           \
		mode_t mode = mode_of(flags, arguments);                              \
		va_end(arguments);                                                    \
		return FAILS(FAIL_OPEN) ? -1 : NEXT(name)(folder, path, flags, mode); \
	}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

/* openat2() has no function of its own. */
EXPORT long syscall(long number, ...)
{
	va_list list;
	long given[6];

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		given[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_openat2 && FAILS(FAIL_OPEN))
		return -1;
	return NEXT(syscall)(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

EXPORT int dup(int fd)
{
	return FAILS(FAIL_OPEN) ? -1 : NEXT(dup)(fd);
}

EXPORT int fstat(int fd, struct stat *info)
{
	return FAILS(FAIL_STAT) ? -1 : NEXT(fstat)(fd, info);
}

EXPORT int fstat64(int fd, struct stat64 *info)
{
	return FAILS(FAIL_STAT) ? -1 : NEXT(fstat64)(fd, info);
}

EXPORT int fstatat(int folder, const char *path, struct stat *info, int flags)
{
	return FAILS(FAIL_STAT) ? -1 : NEXT(fstatat)(folder, path, info, flags);
}

EXPORT int fstatat64(int folder, const char *path, struct stat64 *info, int flags)
{
	return FAILS(FAIL_STAT) ? -1 : NEXT(fstatat64)(folder, path, info, flags);
}

/* -- bytes ------------------------------------------------------------------------------------------------------- */

EXPORT ssize_t read(int fd, void *buffer, size_t size)
{
	ssize_t part = counts(fd) ? (ssize_t)size : PART(FAIL_READ, size);

	return part < 0 ? -1 : NEXT(read)(fd, buffer, (size_t)part);
}

EXPORT ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
	ssize_t part = PART(FAIL_READ, size);

	return part < 0 ? -1 : NEXT(pread)(fd, buffer, (size_t)part, offset);
}

EXPORT ssize_t pread64(int fd, void *buffer, size_t size, off64_t offset)
{
	ssize_t part = PART(FAIL_READ, size);

	return part < 0 ? -1 : NEXT(pread64)(fd, buffer, (size_t)part, offset);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t size)
{
	ssize_t part = counts(fd) ? (ssize_t)size : PART(FAIL_WRITE, size);

	return part < 0 ? -1 : NEXT(write)(fd, bytes, (size_t)part);
}

EXPORT ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
	return FAILS(FAIL_SEND) ? -1 : NEXT(send)(fd, bytes, size, flags);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	return FAILS(FAIL_SEND) ? -1 : NEXT(sendmsg)(fd, message, flags);
}

EXPORT ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
	return FAILS(FAIL_RECV) ? -1 : NEXT(recv)(fd, buffer, size, flags);
}

EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t size)
{
	return FAILS(FAIL_SENDFILE) ? -1 : NEXT(sendfile)(out, in, offset, size);
}

EXPORT ssize_t sendfile64(int out, int in, off64_t *offset, size_t size)
{
	return FAILS(FAIL_SENDFILE) ? -1 : NEXT(sendfile64)(out, in, offset, size);
}

static bool is_of_file(int flags)
{
	return !(flags & MAP_ANONYMOUS);
}

EXPORT void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	return is_of_file(flags) && FAILS(FAIL_MMAP)
		       ? MAP_FAILED
		       : NEXT(mmap)(address, size, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset)
{
	return is_of_file(flags) && FAILS(FAIL_MMAP)
		       ? MAP_FAILED
		       : NEXT(mmap64)(address, size, protection, flags, fd, offset);
}

/* -- sockets, events, threads ------------------------------------------------------------------------------------ */

EXPORT int accept(int fd, __SOCKADDR_ARG address, socklen_t *size)
{
	return FAILS(FAIL_ACCEPT) ? -1 : NEXT(accept)(fd, address, size);
}

EXPORT int accept4(int fd, __SOCKADDR_ARG address, socklen_t *size, int flags)
{
	return FAILS(FAIL_ACCEPT) ? -1 : NEXT(accept4)(fd, address, size, flags);
}

EXPORT int socket(int family, int type, int protocol)
{
	return FAILS(FAIL_SOCKET) ? -1 : NEXT(socket)(family, type, protocol);
}

EXPORT int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
	return FAILS(FAIL_SOCKET) ? -1 : NEXT(bind)(fd, address, size);
}

EXPORT int listen(int fd, int backlog)
{
	return FAILS(FAIL_SOCKET) ? -1 : NEXT(listen)(fd, backlog);
}

EXPORT int getsockname(int fd, __SOCKADDR_ARG address, socklen_t *size)
{
	return FAILS(FAIL_SOCKET) ? -1 : NEXT(getsockname)(fd, address, size);
}

EXPORT int epoll_create1(int flags)
{
	return FAILS(FAIL_EPOLL) ? -1 : NEXT(epoll_create1)(flags);
}

EXPORT int epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
	return operation == EPOLL_CTL_ADD && FAILS(FAIL_EPOLL) ? -1
							       : NEXT(epoll_ctl)(set, operation, fd, event);
}

EXPORT int pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
	return FAILS(FAIL_THREAD) ? EAGAIN : NEXT(pthread_create)(thread, attributes, run, argument);
}

/* Nobody asks but AddressSanitizer, of each thread that begins. */
EXPORT int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
	is_exempt = true;
	int rc = NEXT(pthread_getattr_np)(thread, attributes);
	is_exempt = false;
	return rc;
}
