/* emulate_urls.c: what servers have in common that take a list of URLs: one after the other, until one answers. */
#include "emulate.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

const char *rung_emulated_scheme(const char *url, bool any_case, const char **ret_scheme)
{
	static const char *const schemes[] = { "http", "https" };

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t size = strlen(schemes[i]);

		if ((any_case ? strncasecmp(url, schemes[i], size) : strncmp(url, schemes[i], size)) == 0 &&
			strncmp(url + size, "://", 3) == 0) {
			*ret_scheme = schemes[i];
			return url + size + 3;
		}
	}
	return NULL;
}

int rung_emulated_try(struct emulated *at, const char *urls, emulated_parse parse,
	bool (*is_good)(const struct emulated *at), int *ret_fetched)
{
	int fetched = -1;

	for (size_t size; *urls; urls += size + strspn(urls + size, " \t")) {
		struct emulated_url url = { .input = at->rules->input };

		size = strcspn(urls, " \t");
		const char *one = rung_strndup(at->env, urls, size);
		if (!one)
			return -ENOMEM;
		url.uri = one;
		if (!size || !parse(at, one, &url))
			continue;
		rung_response_clear(at->res);
		fetched = rung_emulated_fetch(at, &url);
		if (fetched < 0)
			return fetched;
		if (fetched == FETCHED && is_good && !is_good(at)) {
			rung_response_clear(at->res);
			fetched = FETCH_NO_ANSWER;
		}
		if (fetched == FETCHED || (fetched != FETCH_UNREACHABLE && !is_good))
			break;
	}
	*ret_fetched = fetched;
	return 0;
}
