/*
 * tree.h: a folder of files for tests of what sends files. Each test has one of its own:
 *
 *	root/a.txt "hello\n"  root/empty  root/sub/b c.html "<p>"  root/sub/é.css "p{}"
 *	root/.hidden  root/.git/config  root/back\slash     inside, and not to be shown: "hidden"
 *	secret  out/secret                                  outside: "secret"
 */
#pragma once

#include "support.h"

/* For a suite's .init and .fini; the latter also looks for leaks. */
void tree_make(void);
void tree_remove(void);

/* The path of a name in the tree, valid for four calls. */
const char *tree_at(const char *name);

/* Writes a file, in place if it is there. */
void tree_write(const char *name, const char *bytes, size_t size);
void tree_put(const char *name, const char *text);

/* A file of so many bytes, none of which is what its neighbour is: byte i is "0123456789abcdef..."[i * 7 % 62]. */
void tree_pattern(const char *name, size_t size);
char tree_pattern_byte(size_t index);

/* How many descriptors this process has open. */
size_t tree_descriptors(void);
