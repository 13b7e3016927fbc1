/* headers.c: header fields as an ordered multimap, and what field values have in common. RFC 9110 section 5. */
#include "header_list.h"

#include <errno.h>
#include <string.h>

/* Bytes of a token (RFC 9110 section 5.6.2). One table serves names, methods and list members. */
/* clang-format off */
static const bool is_tchar[256] = {
	['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1, ['-'] = 1,
	['.'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1, ['0'] = 1, ['1'] = 1, ['2'] = 1,
	['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1, ['A'] = 1, ['B'] = 1,
	['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1,
	['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1,
	['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1,
	['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1,
	['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1, ['u'] = 1,
	['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
};
/* clang-format on */

bool rung_is_token(const char *text, size_t size)
{
	size_t i = 0;

	/* Two at a time, since each field of each request comes by here. */
	for (; i + 1 < size; i += 2)
		if (!(is_tchar[(unsigned char)text[i]] & is_tchar[(unsigned char)text[i + 1]]))
			return false;
	return i == size ? size > 0 : is_tchar[(unsigned char)text[i]];
}

/* True when one of eight bytes may be a control byte or DEL; false alarms, from bytes above 0x7f, are possible. */
static bool may_be_control(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	uint64_t del = word ^ ones * 0x7f;

	return (((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & tops;
}

static RUNG_COLD bool has_no_control(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)text[i];

		if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			return false;
	}
	return true;
}

/* Eight bytes at a time, the last eight first; what looks like a control byte is looked at again. */
bool rung_is_field_value(const char *text, size_t size)
{
	uint64_t word;

	if (size < sizeof word)
		return has_no_control(text, size);
	memcpy(&word, text + size - sizeof word, sizeof word);
	for (size_t i = 0; !may_be_control(word); i += sizeof word) {
		if (i + sizeof word >= size)
			return true;
		memcpy(&word, text + i, sizeof word);
	}
	return has_no_control(text, size);
}

bool rung_names_equal(const char *a, const char *b)
{
	/* Most names that differ do so in their first byte. */
	while (*a && rung_lower(*a) == rung_lower(*b)) {
		a++;
		b++;
	}
	return *a == *b;
}

static int make_room(struct rung_header_list *list, struct rung_arena *arena, uint32_t room)
{
	struct rung_field *fields = rung_arena_alloc(arena, room * sizeof *fields);

	if (!fields)
		return -ENOMEM;
	if (list->count)
		memcpy(fields, list->fields, list->count * sizeof *fields);
	list->fields = fields;
	list->room = room;
	return 0;
}

int rung_list_grow(struct rung_header_list *list, struct rung_arena *arena)
{
	return make_room(list, arena, list->room ? list->room * 2 : 8);
}

void rung_list_remove(struct rung_header_list *list, const char *name, size_t size, uint32_t from)
{
	uint32_t kept = from;

	for (uint32_t i = from; i < list->count; i++)
		if (!rung_name_is(&list->fields[i], name, size))
			list->fields[kept++] = list->fields[i];
	if (kept < list->count)
		list->count = kept;
}

void rung_list_filter(struct rung_header_list *list,
	bool (*match)(const struct rung_field *field, const void *data), const void *data)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < list->count; i++)
		if (!match(&list->fields[i], data))
			list->fields[kept++] = list->fields[i];
	list->count = kept;
}

int rung_list_copy(const struct rung_header_list *list, struct rung_arena *arena, uint32_t more,
	struct rung_header_list *copy)
{
	struct rung_header_list made = *list;
	int rc = make_room(&made, arena, list->count + more + 1);

	if (rc < 0)
		return rc;
	*copy = made;
	return 0;
}

/* -- values -------------------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The end of a list member: the next comma outside a quoted string, or the NUL. */
static const char *member_end(const char *at)
{
	bool quoted = false;

	for (; *at && (quoted || *at != ','); at++) {
		if (quoted && *at == '\\' && at[1])
			at++;
		else if (*at == '"')
			quoted = !quoted;
	}
	return at;
}

bool rung_list_next(const char **cursor, const char **ret_member, size_t *ret_size)
{
	const char *at = *cursor;

	while (*at) {
		while (is_blank(*at) || *at == ',')
			at++;
		const char *end = member_end(at);
		size_t size = (size_t)(end - at);
		while (size && is_blank(at[size - 1]))
			size--;
		if (size) {
			*cursor = end;
			*ret_member = at;
			*ret_size = size;
			return true;
		}
		at = end;
	}
	*cursor = at;
	return false;
}

bool rung_list_has(const char *value, const char *member)
{
	const char *at;
	size_t size;

	while (value && rung_list_next(&value, &at, &size))
		if (size == strlen(member) && rung_same_letters(at, member, size))
			return true;
	return false;
}

/* A weight as in RFC 9110 section 12.4.2, "0" to "1" with at most three decimals. -1: not one. */
static int parse_weight(const char *text, size_t size)
{
	if (size == 0 || size > 5 || (text[0] != '0' && text[0] != '1') || (size > 1 && text[1] != '.'))
		return -1;
	int weight = (text[0] - '0') * 1000;
	int unit = 100;
	for (size_t i = 2; i < size; i++, unit /= 10) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		weight += (text[i] - '0') * unit;
	}
	return weight <= 1000 ? weight : -1;
}

/* The next ";" outside a quoted string, or the end. */
static const char *parameter_end(const char *at, const char *end)
{
	bool quoted = false;

	for (; at < end && (quoted || *at != ';'); at++) {
		if (quoted && *at == '\\' && end - at > 1)
			at++;
		else if (*at == '"')
			quoted = !quoted;
	}
	return at;
}

/* The weight among the parameters of a member ("text/html;level=1;q=0.5"), 1000 if none, -1 if it is bad. */
static int member_weight(const char *at, size_t size)
{
	const char *end = at + size;

	for (at = parameter_end(at, end); at < end; at = parameter_end(at, end)) {
		at++;
		while (at < end && is_blank(*at))
			at++;
		if (end - at < 2 || rung_lower(at[0]) != 'q' || at[1] != '=')
			continue;
		const char *value = at + 2, *value_end = parameter_end(value, end);
		while (value_end > value && is_blank(value_end[-1]))
			value_end--;
		return parse_weight(value, (size_t)(value_end - value));
	}
	return 1000;
}

/* True when a member has parameters other than its weight: it is then about less than the type itself. */
static bool is_narrowed(const char *at, size_t size)
{
	const char *end = at + size;

	for (at = parameter_end(at, end); at < end; at = parameter_end(at, end)) {
		at++;
		while (at < end && is_blank(*at))
			at++;
		if (end - at > 1 && rung_lower(at[0]) == 'q' && at[1] == '=')
			return false; /* what follows the weight narrows nothing */
		if (memchr(at, '=', (size_t)(parameter_end(at, end) - at)))
			return true;
	}
	return false;
}

/* A range without its parameters is a type, a slash and a subtype. */
static bool is_range(const char *range, size_t size)
{
	const char *slash = memchr(range, '/', size);

	return slash && slash > range && slash + 1 < range + size;
}

/* How exactly a range names a type: 0 not at all, 1 for any, 2 for "text/" and any, 3 for the type with parameters, 4
 * for the type itself. */
static int range_fit(const char *range, size_t size, const char *type, bool narrowed)
{
	const char *slash = memchr(range, '/', size);
	const char *type_slash = strchr(type, '/');

	if (size == 3 && range[0] == '*' && range[2] == '*')
		return 1;
	size_t major = (size_t)(slash - range);
	if (!type_slash || major != (size_t)(type_slash - type) || !rung_same_letters(range, type, major))
		return 0;
	if (size == major + 2 && slash[1] == '*')
		return 2;
	if (size != strlen(type) || !rung_same_letters(range, type, size))
		return 0;
	return narrowed ? 3 : 4;
}

unsigned rung_accept_quality(const char *accept, const char *media_type)
{
	const char *member;
	size_t size;
	int best_fit = 0, quality = 0;
	bool says_something = false;

	while (accept && rung_list_next(&accept, &member, &size)) {
		size_t range = 0;
		int weight = member_weight(member, size);

		while (range < size && member[range] != ';' && !is_blank(member[range]))
			range++;
		if (weight < 0 || !is_range(member, range))
			continue;
		says_something = true;
		int fit = range_fit(member, range, media_type, is_narrowed(member, size));
		if (fit && fit >= best_fit) {
			best_fit = fit;
			quality = weight;
		}
	}
	return says_something ? (unsigned)quality : 1000;
}

static bool names_coding(const char *member, size_t size, const char *coding)
{
	if (size == 6 && rung_same_letters(member, "x-gzip", 6)) {
		member += 2;
		size -= 2;
	}
	return size == strlen(coding) && rung_same_letters(member, coding, size);
}

unsigned rung_coding_quality(const char *accept_encoding, const char *coding)
{
	const char *member;
	size_t size;
	int own = -1, any = -1;

	while (accept_encoding && rung_list_next(&accept_encoding, &member, &size)) {
		size_t name = 0;
		int weight = member_weight(member, size);

		while (name < size && member[name] != ';' && !is_blank(member[name]))
			name++;
		if (weight < 0)
			continue;
		if (name == 1 && *member == '*')
			any = weight;
		else if (names_coding(member, name, coding))
			own = weight;
	}
	if (own < 0)
		own = any >= 0 ? any : strcmp(coding, "identity") == 0 ? 1000 : 0;
	return (unsigned)own;
}
