/*
 * alloc.c: counts the calls of our own code to malloc and free, for a program that runs with this library preloaded.
 *
 * Ours is what stands in the program itself or in librung.so; libmicrohttpd and TLS allocate for each request as they
 * like. The return address tells who called. Where that is libc (strdup, opendir, vasprintf ...), the first caller
 * outside it counts, because it is that one who could have done without.
 *
 * A call in tail position is a jump and leaves no return address, so a function of ours that ends in free() and is
 * called by libmicrohttpd goes unseen. The malloc before it does not, as its result is looked at.
 *
 * The count is published in the file that RUNG_ALLOC_COUNTER names, for `allocs` to read while the program runs: no
 * signal is involved, since those belong to the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

enum { MAX_RANGES = 8, SITES = 63 };

/* The file: how many calls, and where the last of them came from, as offsets that addr2line understands. */
struct counter {
	_Atomic uint64_t calls;
	_Atomic uint64_t sites[SITES];
};

/* Executable code of one loaded file. */
struct range {
	uintptr_t start, end, base;
};

struct ranges {
	struct range of[MAX_RANGES];
	size_t count;
};

static struct counter until_mapped;
static struct counter *counter = &until_mapped;
static struct ranges ours, libc_code, own_code;
static _Thread_local __attribute__((tls_model("initial-exec"))) bool is_unwinding;

/* What is behind the public names in glibc. Reached directly, for dlsym() would allocate. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

/* -- whose code is it? -------------------------------------------------------------------------------------- */

static const struct range *find(const struct ranges *ranges, uintptr_t address)
{
	for (size_t i = 0; i < ranges->count; i++)
		if (address >= ranges->of[i].start && address < ranges->of[i].end)
			return &ranges->of[i];
	return NULL;
}

static void add_code(struct ranges *ranges, const struct dl_phdr_info *info)
{
	for (int i = 0; i < info->dlpi_phnum && ranges->count < MAX_RANGES; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + part->p_vaddr;

		if (part->p_type == PT_LOAD && (part->p_flags & PF_X))
			ranges->of[ranges->count++] =
				(struct range){ start, start + part->p_memsz, info->dlpi_addr };
	}
}

static int sort_object(struct dl_phdr_info *info, size_t size, void *data)
{
	bool *is_first = data;

	(void)size;
	/* The program itself comes first, without a name. */
	if (*is_first || strstr(info->dlpi_name, "/librung.so"))
		add_code(&ours, info);
	else if (strstr(info->dlpi_name, "/libc.so"))
		add_code(&libc_code, info);
	else if (strstr(info->dlpi_name, "/alloc_counter"))
		add_code(&own_code, info);
	*is_first = false;
	return 0;
}

static __attribute__((constructor)) void prepare(void)
{
	const char *path = getenv("RUNG_ALLOC_COUNTER");
	bool is_first = true;
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd >= 0 && ftruncate(fd, sizeof(struct counter)) == 0) {
		void *map = mmap(NULL, sizeof(struct counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (map != MAP_FAILED)
			counter = map;
	}
	if (fd >= 0)
		close(fd);
	dl_iterate_phdr(sort_object, &is_first);
}

/* -- counting ----------------------------------------------------------------------------------------------- */

static _Unwind_Reason_Code step_out(struct _Unwind_Context *context, void *data)
{
	uintptr_t *caller = data;
	uintptr_t address = _Unwind_GetIP(context);

	if (find(&own_code, address) || find(&libc_code, address))
		return _URC_NO_REASON;
	*caller = address;
	return _URC_END_OF_STACK;
}

static void count(void *return_address)
{
	uintptr_t caller = (uintptr_t)return_address;

	if (is_unwinding)
		return;
	if (find(&libc_code, caller)) {
		is_unwinding = true;
		_Unwind_Backtrace(step_out, &caller);
		is_unwinding = false;
	}
	const struct range *range = find(&ours, caller);
	if (!range)
		return;
	uint64_t call = atomic_fetch_add(&counter->calls, 1);
	/* One byte back is inside the call itself: the line that addr2line should name. */
	counter->sites[call % SITES] = caller - range->base - 1;
}

#define EXPORT __attribute__((visibility("default")))

EXPORT void *malloc(size_t size)
{
	count(__builtin_return_address(0));
	return __libc_malloc(size);
}

EXPORT void *calloc(size_t number, size_t size)
{
	count(__builtin_return_address(0));
	return __libc_calloc(number, size);
}

EXPORT void *realloc(void *memory, size_t size)
{
	count(__builtin_return_address(0));
	return __libc_realloc(memory, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	count(__builtin_return_address(0));
	return __libc_memalign(alignment, size);
}

EXPORT int posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
	count(__builtin_return_address(0));
	if (alignment < sizeof(void *) || (alignment & (alignment - 1)))
		return EINVAL;
	void *memory = __libc_memalign(alignment, size);
	if (!memory)
		return ENOMEM;
	*ret_memory = memory;
	return 0;
}

EXPORT void free(void *memory)
{
	if (memory)
		count(__builtin_return_address(0));
	__libc_free(memory);
}
