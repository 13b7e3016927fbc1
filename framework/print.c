/* print.c: a stack as a ladder that a person can read, with advice about its order. */
#include "app_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct printer {
	FILE *out;
	unsigned depth;
};

static int print_child(struct rung_app *child, const char *label, void *data);

static void indent(const struct printer *printer)
{
	for (unsigned i = 0; i < printer->depth; i++)
		fputs("|   ", printer->out);
}

static void print_app(struct printer *printer, struct rung_app *app, const char *label)
{
	char detail[256] = "";

	indent(printer);
	fputs("+-- ", printer->out);
	if (label && *label)
		fprintf(printer->out, "%s", label);
	if (!(app->class_->flags & RUNG_UNNAMED))
		fprintf(printer->out, "%s%s", label && *label ? " -> " : "", rung_app_name(app));
	if (app->class_->describe)
		app->class_->describe(app, detail, sizeof detail);
	if (*detail)
		fprintf(printer->out, "  %s", detail);
	if (app->class_->flags & RUNG_BUFFERS)
		fputs("  (holds whole bodies)", printer->out);
	if (app->class_->flags & RUNG_BLOCKS)
		fputs("  (may wait)", printer->out);
	fputc('\n', printer->out);
	if (app->class_->children) {
		printer->depth++;
		app->class_->children(app, print_child, printer);
		printer->depth--;
	}
}

/* A child that is a stack of several apps hangs below its label, one that stands alone beside it. One without any label
 * is what its parent's own line shows already. */
static int print_child(struct rung_app *child, const char *label, void *data)
{
	struct printer *printer = data;
	bool has_line = label && *label && child->next;

	if (!label)
		return 0;
	if (!child->next) {
		print_app(printer, child, label);
		return 0;
	}
	if (has_line) {
		indent(printer);
		fprintf(printer->out, "+-- %s\n", label);
	}
	printer->depth += has_line;
	for (struct rung_app *app = child; app; app = app->next)
		print_app(printer, app, NULL);
	printer->depth -= has_line;
	return 0;
}

static void print_advice(FILE *out, const struct rung_app *head)
{
	for (const struct rung_app *app = head; app; app = app->next) {
		const struct rung_order *rule = app->class_->order;

		for (; rule && rule->outside && !app->record_->unchecked; rule++)
			for (const struct rung_app *outer = head; outer != app && rule->advice;
				outer = outer->next)
				if (strcmp(outer->class_->name, rule->outside) == 0)
					fprintf(out, "advice: %s is better outside %s: %s\n",
						rung_app_name(app), rule->outside, rule->why);
	}
}

ssize_t rung_stack_print(struct rung_app *app, char *buffer, size_t room)
{
	char *text = NULL;
	size_t size = 0;
	struct printer printer = { .out = open_memstream(&text, &size) };

	if (!printer.out)
		return -ENOMEM;
	for (struct rung_app *at = app; at; at = at->next)
		print_app(&printer, at, NULL);
	print_advice(printer.out, app);
	if (fclose(printer.out) != 0) {
		free(text);
		return -ENOMEM;
	}
	if (room)
		snprintf(buffer, room, "%s", text);
	free(text);
	return (ssize_t)size;
}
