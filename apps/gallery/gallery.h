/* gallery.h: private: what the files of the gallery share. */
#pragma once

#include <rung/rung.h>

enum { MOST_TRIES = 16 };

/* One thing to try, out of a line such as "TRY: 206 -r 0-9 /big.bin -- the first ten bytes". */
struct
try {
	int status;          /* what the answer's will be */
	const char *options; /* curl's, "" if none */
	const char *path;    /* below the app */
	const char *words;
};

/* An app of the gallery, as its file describes it. */
struct exhibit {
	const char *name;
	struct rung_app *app;
	char *source; /* its text */
	char *ladder; /* its stack, printed */
	char *texts;  /* what the strings below point into */
	const char *promise;
	struct try tries[MOST_TRIES];
	size_t try_count;
};

/* Reads the app's file, "FOLDER/NAME.c", and prints its stack. Returns 0, or a negative errno with a line on standard error. */
int exhibit_read(struct exhibit *exhibit, const char *folder);
void exhibit_free(struct exhibit *exhibit);

/* Writes C with its words marked: <span class="k"> and the like; "k" keywords, "s" strings, "n" numbers, "c" comments, "p"
 * the preprocessor, "r" what is Rung's. */
void highlight(struct rung_writer *page, const char *source);

/* The pages. `has_inspector`: there is one to link to. */
void write_index(struct rung_writer *page, const struct exhibit *exhibits, size_t count, bool has_inspector);
void write_about(struct rung_writer *page, const struct exhibit *exhibit);
