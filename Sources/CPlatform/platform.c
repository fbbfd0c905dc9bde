/*
 * Thin wrappers, each one system call, none with a policy.
 *
 * Thread: any. Promise: that of platform.h.
 */
#define _GNU_SOURCE
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

_Static_assert((int)PLATFORM_READABLE == EPOLLIN && (int)PLATFORM_WRITABLE == EPOLLOUT, "epoll constants");
_Static_assert((int)PLATFORM_ERROR == EPOLLERR && (int)PLATFORM_HANGUP == EPOLLHUP, "epoll constants");
_Static_assert((int)PLATFORM_PEER_CLOSED == EPOLLRDHUP, "epoll constants");

int platform_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static int control(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  return epoll_ctl(epoll, operation, fd, &event);
}
int platform_epoll_add(int epoll, int fd, uint32_t events, uint64_t token) {
  return control(epoll, EPOLL_CTL_ADD, fd, events, token);
}
int platform_epoll_change(int epoll, int fd, uint32_t events, uint64_t token) {
  return control(epoll, EPOLL_CTL_MOD, fd, events, token);
}
int platform_epoll_remove(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); }

int platform_epoll_wait(int epoll, platform_event *events, int capacity, int timeout_ms) {
  struct epoll_event ready[512];
  if (capacity > 512) capacity = 512;
  int count = epoll_wait(epoll, ready, capacity, timeout_ms);
  if (count < 0) return errno == EINTR ? 0 : -1;
  for (int i = 0; i < count; i++) {
    events[i].token = ready[i].data.u64;
    events[i].events = ready[i].events;
  }
  return count;
}

int platform_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
void platform_eventfd_signal(int fd) {
  uint64_t one = 1;
  ssize_t written = write(fd, &one, sizeof one);
  (void)written;
}
void platform_eventfd_drain(int fd) {
  uint64_t value;
  ssize_t got = read(fd, &value, sizeof value);
  (void)got;
}

int platform_signalfd(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) return -1;
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}
int platform_signalfd_next(int fd) {
  struct signalfd_siginfo info;
  return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}
void platform_unblock_all(void) {
  sigset_t set;
  sigemptyset(&set);
  pthread_sigmask(SIG_SETMASK, &set, NULL);
}

int platform_accept(int fd, struct sockaddr_storage *address, socklen_t *length) {
  return accept4(fd, (struct sockaddr *)address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
int64_t platform_peer_user(int fd) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 ? (int64_t)peer.uid : -1;
}
int platform_socket(int family, int type) { return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }
void platform_name_thread(const char *name) {
  char shortened[16];
  strncpy(shortened, name, sizeof shortened - 1);
  shortened[sizeof shortened - 1] = 0;
  pthread_setname_np(pthread_self(), shortened);
}
int platform_random(void *bytes, size_t count) {
  char *at = bytes;
  while (count > 0) {
    ssize_t got = getrandom(at, count, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      return -1;
    }
    at += got;
    count -= (size_t)got;
  }
  return 0;
}

static int64_t read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}
int64_t platform_realtime_ns(void) { return read_clock(CLOCK_REALTIME); }
int64_t platform_monotonic_ns(void) { return read_clock(CLOCK_MONOTONIC); }
int64_t platform_thread_cpu_ns(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }
int64_t platform_process_cpu_ns(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

int64_t platform_resident_bytes(void) {
  long total = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  if (!file) return 0;
  if (fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
  fclose(file);
  return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

int platform_allocate(int fd, int64_t bytes) {
  int code = posix_fallocate(fd, 0, bytes);
  if (code == 0) return 0;
  errno = code;
  return -1;
}
void platform_tune_memory(void) {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 4 << 20);
}
void platform_trim_memory(void) { malloc_trim(0); }
int platform_lock(int fd) { return flock(fd, LOCK_EX | LOCK_NB); }
int platform_errno(void) { return errno; }
