/*
 * sink: receives the bench's webhooks, checks each signature, and keeps their delays.
 *
 *   SINK_SECRET=… sink PORT
 *
 * POST (any path) takes a webhook with "X-Signature: sha256=<hex HMAC-SHA256 of the body>" and answers
 * 200, or 401 when the signature is wrong. The delay is from the body's "sent_ns", the wall clock in
 * nanoseconds, to the moment the webhook is complete here. GET /figures tells what was seen since the
 * last GET /clear. After GET /hold webhooks are taken but not answered until GET /release, so that a
 * backlog grows at the sender.
 *
 * Thread: one, with epoll. Promise: a webhook with a wrong signature is counted as wrong and never as
 * received; every answer leaves before the next request of its connection is read.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 4096, REQUEST_BYTES = 64 * 1024, MOST_SAMPLES = 1 << 22 };

static char *buffers[CONNECTIONS];
static size_t held[CONNECTIONS];
static uint32_t *samples;
static long received, wrong, samples_count;
static int64_t first_ns, last_ns, released_ns;
static bool holding, owed[CONNECTIONS];
static EVP_MAC_CTX *keyed;

static int64_t wall_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void prepare_key(void) {
  const char *secret = getenv("SINK_SECRET");
  if (!secret || !*secret) {
    fprintf(stderr, "sink: SINK_SECRET is not set\n");
    exit(2);
  }
  EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  keyed = mac ? EVP_MAC_CTX_new(mac) : NULL;
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0), OSSL_PARAM_construct_end()};
  if (!keyed || !EVP_MAC_init(keyed, (const unsigned char *)secret, strlen(secret), parameters)) {
    fprintf(stderr, "sink: libcrypto has no HMAC-SHA256\n");
    exit(1);
  }
}

static bool is_signed(const char *head, size_t head_bytes, const char *body, size_t body_bytes) {
  static const char digits[] = "0123456789abcdef";
  unsigned char sum[32];
  size_t sum_bytes = 0;
  const char *at = memmem(head, head_bytes, "X-Signature: sha256=", 20);
  if (!at || (size_t)(head + head_bytes - at) < 20 + 64) return false;
  if (!EVP_MAC_init(keyed, NULL, 0, NULL) || !EVP_MAC_update(keyed, (const unsigned char *)body, body_bytes) ||
      !EVP_MAC_final(keyed, sum, &sum_bytes, sizeof sum) || sum_bytes != sizeof sum)
    return false;
  at += 20;
  for (int i = 0; i < 32; i++)
    if (at[2 * i] != digits[sum[i] >> 4] || at[2 * i + 1] != digits[sum[i] & 15]) return false;
  return true;
}

static void keep_delay(const char *body, size_t bytes, int64_t now) {
  const char *at = memmem(body, bytes, "\"sent_ns\":", 10);
  if (!at || samples_count == MOST_SAMPLES) return;
  at += 10;
  while (*at == ' ' || *at == '"') at++;
  int64_t sent = strtoll(at, NULL, 10);
  if (sent > 0 && now >= sent) samples[samples_count++] = (uint32_t)((now - sent) / 1000);
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static double quantile(double share) {
  long at = (long)((double)samples_count * share);
  return samples_count ? samples[at < samples_count ? at : samples_count - 1] / 1000.0 : 0;
}

static void reply(int fd, int status, const char *body) {
  char text[1024];
  int bytes = snprintf(
      text, sizeof text, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status,
      status == 200 ? "OK" : "Unauthorized", strlen(body), body);
  if (send(fd, text, (size_t)bytes, MSG_NOSIGNAL) != bytes) shutdown(fd, SHUT_RDWR);
}

static void tell_figures(int fd) {
  char text[512];
  qsort(samples, (size_t)samples_count, sizeof *samples, by_size);
  snprintf(text, sizeof text,
           "{\"received\":%ld,\"wrong\":%ld,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"first_ns\":%lld,"
           "\"last_ns\":%lld,\"released_ns\":%lld}\n",
           received, wrong, quantile(0.5), quantile(0.99), quantile(1), (long long)first_ns, (long long)last_ns,
           (long long)released_ns);
  reply(fd, 200, text);
}

static void release(void) {
  holding = false;
  released_ns = wall_ns();
  for (int fd = 0; fd < CONNECTIONS; fd++) {
    if (owed[fd]) reply(fd, 200, "{}\n");
    owed[fd] = false;
  }
}

static void handle(int fd, const char *head, size_t head_bytes, const char *body, size_t body_bytes) {
  if (!strncmp(head, "GET /figures", 12)) {
    tell_figures(fd);
  } else if (!strncmp(head, "GET /clear", 10)) {
    received = wrong = samples_count = 0;
    first_ns = last_ns = released_ns = 0;
    reply(fd, 200, "{}\n");
  } else if (!strncmp(head, "GET /hold", 9)) {
    holding = true;
    reply(fd, 200, "{}\n");
  } else if (!strncmp(head, "GET /release", 12)) {
    release();
    reply(fd, 200, "{}\n");
  } else if (is_signed(head, head_bytes, body, body_bytes)) {
    last_ns = wall_ns();
    if (!received++) first_ns = last_ns;
    keep_delay(body, body_bytes, last_ns);
    if (holding) owed[fd] = true;
    else reply(fd, 200, "{}\n");
  } else {
    wrong++;
    reply(fd, 401, "{}\n");
  }
}

static void forget(int fd) {
  free(buffers[fd]);
  buffers[fd] = NULL;
  held[fd] = 0;
  owed[fd] = false;
  close(fd);
}

/* False when the connection is over. */
static bool take(int fd) {
  ssize_t n = recv(fd, buffers[fd] + held[fd], REQUEST_BYTES - 1 - held[fd], MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN)) return false;
  if (n < 0) return true;
  held[fd] += (size_t)n;
  char *start = buffers[fd], *stop = start + held[fd];
  for (;;) {
    *stop = 0;
    char *end = memmem(start, (size_t)(stop - start), "\r\n\r\n", 4);
    if (!end) break;
    size_t head_bytes = (size_t)(end - start) + 4, body_bytes = 0;
    char *length = strcasestr(start, "\r\ncontent-length:");
    if (length && length < end) body_bytes = strtoul(length + 17, NULL, 10);
    if ((size_t)(stop - start) < head_bytes + body_bytes) break;
    handle(fd, start, head_bytes, start + head_bytes, body_bytes);
    start += head_bytes + body_bytes;
  }
  held[fd] = (size_t)(stop - start);
  memmove(buffers[fd], start, held[fd]);
  return held[fd] < REQUEST_BYTES - 1;
}

static void accept_all(int poller, int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
    int one = 1;
    if (fd >= CONNECTIONS) {
      close(fd);
      continue;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    buffers[fd] = malloc(REQUEST_BYTES);
    struct epoll_event wish = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wish);
  }
}

int main(int count, char **words) {
  if (count != 2) {
    fprintf(stderr, "sink: call it as: sink PORT\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  prepare_key();
  samples = malloc(sizeof *samples * MOST_SAMPLES);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
    perror("sink: bind");
    return 1;
  }
  int poller = epoll_create1(0);
  struct epoll_event wish = {.events = EPOLLIN, .data.fd = listener}, ready[256];
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &wish);
  for (;;) {
    int found = epoll_wait(poller, ready, 256, -1);
    for (int i = 0; i < found; i++) {
      int fd = ready[i].data.fd;
      if (fd == listener) accept_all(poller, listener);
      else if (!take(fd)) forget(fd);
    }
  }
}
