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
	fprintf(printer->out, "+-- %s%s%s", label, *label ? " -> " : "", rung_app_name(app));
	if (app->class_->describe)
		app->class_->describe(app, detail, sizeof detail);
	if (*detail)
		fprintf(printer->out, "  %s", detail);
	if (app->class_->flags & RUNG_BUFFERS)
		fputs("  (holds whole bodies)", printer->out);
	if (rung_app_may_wait(app))
		fputs("  (may wait)", printer->out);
	fputc('\n', printer->out);
	if (app->class_->children) {
		printer->depth++;
		app->class_->children(app, print_child, printer);
		printer->depth--;
	}
}

static void print_label(const struct printer *printer, const char *label)
{
	indent(printer);
	fprintf(printer->out, "+-- %s\n", label);
}

/* A stack of several apps hangs below its label; without one it stands where its parent's apps do. */
static void print_stack(struct printer *printer, struct rung_app *app, const char *label)
{
	if (*label)
		print_label(printer, label);
	printer->depth += *label != '\0';
	for (; app; app = app->next)
		print_app(printer, app, "");
	printer->depth -= *label != '\0';
}

/* A route or mount shows as what it holds, under the label that says how it is reached. */
struct unnamed {
	struct printer *printer;
	const char *label;
};

static int print_held(struct rung_app *child, const char *label, void *data)
{
	const struct unnamed *unnamed = data;

	if (label)
		return print_child(child, unnamed->label, unnamed->printer);
	/* A function of its own, which has no name beside the label. */
	print_label(unnamed->printer, unnamed->label);
	return 0;
}

static int print_child(struct rung_app *child, const char *label, void *data)
{
	struct printer *printer = data;
	struct unnamed unnamed = { printer, label };

	if (!label)
		return 0;
	if (child->next)
		print_stack(printer, child, label);
	else if (child->class_->flags & RUNG_UNNAMED && child->class_->children && *label)
		return child->class_->children(child, print_held, &unnamed);
	else
		print_app(printer, child, label);
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
	print_stack(&printer, app, "");
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
