/*
 * fail.h: how a test tells fail.c, preloaded into a server, which call is to fail. Both map the file that RUNG_FAILURES
 * names in the environment.
 */
#pragma once

#include <stdatomic.h>

/* Kinds of calls that can be armed, one at a time. */
enum failing_call {
	FAIL_NOTHING,
	FAIL_MEMORY,   /* malloc and its kin, whoever calls: strdup() and stdio do too */
	FAIL_ACCEPT,   /* accept, accept4 */
	FAIL_OPEN,     /* open, openat, openat2, dup */
	FAIL_STAT,     /* fstat, fstatat */
	FAIL_READ,     /* read, pread */
	FAIL_WRITE,    /* write */
	FAIL_SEND,     /* send, sendmsg */
	FAIL_RECV,     /* recv */
	FAIL_SENDFILE, /* sendfile */
	FAIL_MMAP,     /* mmap, but for memory without a file: that is the allocator's */
	FAIL_EPOLL,    /* epoll_create1; of epoll_ctl only what adds, since nothing else can fail */
	FAIL_EVENTFD,  /* eventfd, timerfd_create */
	FAIL_THREAD,   /* pthread_create */
	FAIL_SOCKET,   /* socket, bind, listen, getsockname */
	FAIL_CALLS,
};

struct failing {
	_Atomic int call;     /* the kind that is armed; FAIL_NOTHING: none. Written last */
	_Atomic int at_begin; /* the kind that the program arms itself, by failing_begin() */
	_Atomic long first;   /* the call of that kind, from 1, that fails */
	_Atomic long times;   /* and how many do, one after the other */
	_Atomic int err;      /* what errno says then; 0: a read or write of a file does half */
	_Atomic long seen;    /* calls since it was armed */
	_Atomic long fired;   /* those that failed */
	char where[128];      /* who called when it first did: a file and an offset, for addr2line */
};

/* Called by the program when its main begins: what comes before is the loader's. Weak, since it may run by itself. */
__attribute__((weak)) void failing_begin(void);
