/* forward.c: everything goes to the backend that BACKEND names. Takes the flags of every app. */
#include <rung/rung.h>
#include <rung/upstream.h>

#include <stdlib.h>

int main(int argc, char **argv)
{
	return rung_main(argc, argv, rung_upstream(.to = getenv("BACKEND")));
}
