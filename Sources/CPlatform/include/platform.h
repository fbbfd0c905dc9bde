/*
 * What Linux offers and Swift's Glibc module does not show: epoll, eventfd, signalfd, accept4, thread
 * names, random bytes, thread CPU time.
 *
 * Thread: stateless wrappers, callable anywhere. Promise: the meaning of the system call and nothing
 * more; -1 and errno on failure, EINTR retried only where the comment says so.
 */
#ifndef NUDGED_PLATFORM_H
#define NUDGED_PLATFORM_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum platform_events {
  PLATFORM_READABLE = 0x001,  /* EPOLLIN */
  PLATFORM_WRITABLE = 0x004,  /* EPOLLOUT */
  PLATFORM_ERROR = 0x008,     /* EPOLLERR */
  PLATFORM_HANGUP = 0x010,    /* EPOLLHUP */
  PLATFORM_PEER_CLOSED = 0x2000 /* EPOLLRDHUP */
};

typedef struct platform_event {
  uint64_t token;
  uint32_t events;
} platform_event;

int platform_epoll_create(void);
int platform_epoll_add(int epoll, int fd, uint32_t events, uint64_t token);
int platform_epoll_change(int epoll, int fd, uint32_t events, uint64_t token);
int platform_epoll_remove(int epoll, int fd);
/* Waits at most timeout_ms (-1: for ever); 0 events on EINTR. capacity at most 512. */
int platform_epoll_wait(int epoll, platform_event *events, int capacity, int timeout_ms);

int platform_eventfd(void);           /* non-blocking, close-on-exec */
void platform_eventfd_signal(int fd);
void platform_eventfd_drain(int fd);

/* Blocks the signals in this thread (and those it starts later) and returns a signalfd for them. */
int platform_signalfd(const int *signals, int count);
/* The next pending signal number, or 0. */
int platform_signalfd_next(int fd);
/* Takes every signal back to unblocked, for a child about to exec. */
void platform_unblock_all(void);

int platform_accept(int fd, struct sockaddr_storage *address, socklen_t *length);
/* The user id of the process at the other end of a Unix socket, or -1. */
int64_t platform_peer_user(int fd);
int platform_socket(int family, int type); /* non-blocking, close-on-exec */
void platform_name_thread(const char *name);
int platform_random(void *bytes, size_t count); /* 0, or -1 */
int64_t platform_realtime_ns(void);
int64_t platform_monotonic_ns(void);
int64_t platform_thread_cpu_ns(void);
int64_t platform_process_cpu_ns(void);
int64_t platform_resident_bytes(void);
/* fdatasync, and the size set aside on disk for good: posix_fallocate. */
int platform_allocate(int fd, int64_t bytes);
/* An exclusive lock on an open file: 0, or -1 when another process holds it. */
int platform_lock(int fd);
int platform_errno(void);
/* For a process with a few long threads that hand memory to each other: few arenas, and large blocks go
 * back to the kernel when they are freed. To be called before any thread is made. */
void platform_tune_memory(void);
/* Gives back to the kernel what is free between blocks in use. It takes some milliseconds, in which others wait for
 * memory, so it is for moments after which much is free and that come every few seconds at most. */
void platform_trim_memory(void);
#endif
