/* test_upload.c: safe names, and files on disk. */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(upload, .init = tree_make, .fini = tree_remove);

/* -- names ------------------------------------------------------------------------------------------------------- */

static const char *safe(const char *name)
{
	static char buffer[RUNG_SAFE_NAME_SIZE];

	rung_safe_name(name, strlen(name), buffer);
	return buffer;
}

Test(upload, names_are_made_safe)
{
	static const struct {
		const char *name, *safe;
	} cases[] = {
		{ "a.txt", "a.txt" },
		{ "A b-c_d (1).tar.gz", "A b-c_d (1).tar.gz" },
		{ "\xe2\x82\xac\xf0\x9f\x98\x80.txt", "\xe2\x82\xac\xf0\x9f\x98\x80.txt" },
		/* the last part of a path */
		{ "/etc/passwd", "passwd" },
		{ "../../etc/passwd", "passwd" },
		{ "C:\\Users\\x\\a.txt", "a.txt" },
		{ "a/b\\c/d.txt", "d.txt" },
		{ "..\\..\\a", "a" },
		{ "a/", "file" },
		{ "a\\", "file" },
		/* dots */
		{ "", "file" },
		{ ".", "file" },
		{ "..", "file" },
		{ "...", "file" },
		{ "/..", "file" },
		{ ".htaccess", "htaccess" },
		{ "..a", "a" },
		{ "a..b", "a.b" },
		{ "a....b..c", "a.b.c" },
		{ "a.", "a" },
		{ "a. . .", "a" },
		{ ". .-.a", "a" },
		{ "-rf", "rf" },
		{ "--", "file" },
		{ " a ", "a" },
		{ "a .txt", "a.txt" },
		{ ".txt.", "txt" },
		{ "a .\x01txt", "a.txt" },
		{ "a .txt ", "a.txt" },
		/* controls, and what turns text around or is not seen */
		{ "a\r\nb\t\x01\x7f.txt", "ab.txt" },
		{ "a\xc2\x80\xc2\x9f.txt", "a.txt" },
		{ "exe.\xe2\x80\xaegpj", "exe.gpj" },
		{ "\xef\xbb\xbf\xe2\x80\x8b\xe2\x81\xa6.a", "a" },
		{ "a.t\x01xt", "a.txt" },
		{ "a.\x01.b", "a.b" },
		{ "\x01", "file" },
		/* what is no UTF-8 */
		{ "\xff.txt", "_.txt" },
		{ "a\xc3", "a_" },
		{ "\xc0\xaf", "__" },
		{ "\xed\xa0\x80", "___" },
		{ "\xf4\x90\x80\x80", "____" },
		/* what Windows has a meaning for */
		{ "a:b<c>d\"e|f?g*h", "a_b_c_d_e_f_g_h" },
		{ "a.txt:evil", "a.txt_evil" },
		{ "CON", "_CON" },
		{ "con.txt", "_con.txt" },
		{ "nul .tar.gz", "_nul .tar.gz" },
		{ "aux.", "_aux" },
		{ ".prn", "_prn" },
		{ "..CON.\x01txt", "_CON.txt" },
		{ "com1", "_com1" },
		{ "COM0.x", "_COM0.x" },
		{ "lpt9.log", "_lpt9.log" },
		{ "com\xc2\xb2", "_com\xc2\xb2" },
		{ "conin$", "_conin$" },
		{ "CONOUT$.txt", "_CONOUT$.txt" },
		{ "com10", "com10" },
		{ "com", "com" },
		{ "comx", "comx" },
		{ "lpt\xc2\xb4", "lpt\xc2\xb4" },
		{ "console", "console" },
		{ "a.con", "a.con" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_expect_str_eq(safe(cases[i].name), cases[i].safe, "<%s> is <%s>, not <%s>", cases[i].name,
			safe(cases[i].name), cases[i].safe);
		cr_expect_str_eq(safe(cases[i].safe), cases[i].safe, "<%s> again is <%s>", cases[i].safe,
			safe(cases[i].safe));
	}
}

Test(upload, a_nul_ends_nothing)
{
	char buffer[RUNG_SAFE_NAME_SIZE];

	rung_safe_name("a.php\0.jpg", 10, buffer);
	ASSERT_STR(buffer, "a.php.jpg");
}

Test(upload, long_names_keep_their_extension)
{
	char name[600], longest[RUNG_SAFE_NAME_SIZE];

	memset(name, 'x', sizeof name);
	for (size_t size = 190; size < 500; size++) {
		snprintf(name + size, sizeof name - size, ".tar.gz");
		const char *got = safe(name);
		/* Cut right behind a dot, the dot goes too. */
		cr_expect(strlen(got) == (size == 196             ? 199
						 : size + 7 < 200 ? size + 7
								  : 200),
			"%zu: %zu", size, strlen(got));
		cr_expect_str_eq(got + strlen(got) - 3, ".gz", "%s", got);
		snprintf(longest, sizeof longest, "%s", got);
		cr_expect_str_eq(safe(longest), longest);
		memset(name, 'x', sizeof name);
	}
	/* One that is too long itself is none. */
	snprintf(name + 300, sizeof name - 300, ".12345678901234567");
	cr_assert(!strchr(safe(name), '.'));
	/* No character is cut in two. */
	for (size_t i = 0; i < 100; i++)
		memcpy(name + i * 3, "\xe2\x82\xac", 3);
	snprintf(name + 300, sizeof name - 300, ".png");
	ASSERT_INT(strlen(safe(name)), 65 * 3 + 4);
	ASSERT_STR(safe(name) + 65 * 3, ".png");
	memcpy(name, "con.", 4);
	ASSERT_HAS(safe(name), "_con.");
	cr_assert(strlen(safe(name)) <= 200);
}

/* -- saving ------------------------------------------------------------------------------------------------------ */

static const struct rung_upload upload = {
	.filename = "x", .safe_name = "new.txt", .content_type = "text/plain", .bytes = "hello", .size = 5
};

static int open_folder(void)
{
	int fd = open(tree_at("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);

	cr_assert(fd >= 0);
	return fd;
}

static void expect_file(const char *name, const char *text, mode_t mode)
{
	char got[64] = "";
	struct stat info;
	int fd = open(tree_at(name), O_RDONLY | O_CLOEXEC);

	cr_assert(fd >= 0 && fstat(fd, &info) == 0 && read(fd, got, sizeof got - 1) >= 0);
	close(fd);
	ASSERT_STR(got, text);
	cr_expect((info.st_mode & 07777) == mode, "%o", info.st_mode);
}

Test(upload, a_file_is_saved_by_its_safe_name_or_another)
{
	int folder = open_folder();
	size_t before = tree_descriptors();

	umask(022);
	ASSERT_INT(rung_upload_save(&upload, folder, NULL, 0), 0);
	expect_file("root/new.txt", "hello", 0600);
	ASSERT_INT(rung_upload_save(&upload, folder, "other", 0644), 0);
	expect_file("root/other", "hello", 0644);
	ASSERT_INT(rung_upload_save(&upload, AT_FDCWD, tree_at("root/x"), 0), -EINVAL);
	const struct rung_upload empty = { .safe_name = "none", .bytes = "" };
	ASSERT_INT(rung_upload_save(&empty, folder, NULL, 0), 0);
	expect_file("root/none", "", 0600);
	ASSERT_INT(tree_descriptors(), before);
	close(folder);
}

Test(upload, nothing_is_overwritten_and_no_link_followed)
{
	int folder = open_folder();

	cr_assert(symlinkat("nowhere", folder, "dangling") == 0);
	cr_assert(symlinkat("../secret", folder, "link") == 0);
	ASSERT_INT(rung_upload_save(&upload, folder, "a.txt", 0), -EEXIST);
	ASSERT_INT(rung_upload_save(&upload, folder, "sub", 0), -EEXIST);
	ASSERT_INT(rung_upload_save(&upload, folder, "dangling", 0), -EEXIST);
	ASSERT_INT(rung_upload_save(&upload, folder, "link", 0), -EEXIST);
	ASSERT_INT(access(tree_at("root/nowhere"), F_OK), -1);
	expect_file("root/a.txt", "hello\n", 0644);
	unlinkat(folder, "dangling", 0);
	unlinkat(folder, "link", 0);
	close(folder);
}

Test(upload, what_is_no_name_is_refused)
{
	static const char *const names[] = { "", ".", "..", "/", "a/b", "/tmp/x", "../x", "sub/" };
	int folder = open_folder();

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		cr_expect(rung_upload_save(&upload, folder, names[i], 0) == -EINVAL, "<%s>", names[i]);
	close(folder);
	ASSERT_INT(rung_upload_save(&upload, -1, NULL, 0), -EBADF);
}

Test(upload, what_could_not_be_written_whole_is_removed)
{
	static char large[100000];
	const struct rung_upload file = { .safe_name = "large", .bytes = large, .size = sizeof large };
	const struct rlimit few = { .rlim_cur = 50000, .rlim_max = RLIM_INFINITY };
	struct rlimit all;
	int folder = open_folder();
	size_t before = tree_descriptors();

	signal(SIGXFSZ, SIG_IGN);
	cr_assert(getrlimit(RLIMIT_FSIZE, &all) == 0 && setrlimit(RLIMIT_FSIZE, &few) == 0);
	int rc = rung_upload_save(&file, folder, NULL, 0);
	setrlimit(RLIMIT_FSIZE, &all);
	ASSERT_INT(rc, -EFBIG);
	ASSERT_INT(access(tree_at("root/large"), F_OK), -1);
	ASSERT_INT(tree_descriptors(), before);
	close(folder);
}
