/* Door to libcurl: setopt and getinfo are variadic, so each used form has a typed wrapper here. */
#ifndef NUDGED_CCURL_H
#define NUDGED_CCURL_H
#include <curl/curl.h>

static inline CURLcode ccurl_set_long(CURL *h, CURLoption o, long v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_pointer(CURL *h, CURLoption o, const void *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode ccurl_set_offset(CURL *h, CURLoption o, curl_off_t v) { return curl_easy_setopt(h, o, v); }
/* A copy is kept; nothing at all goes back to what the system trusts. */
static inline CURLcode ccurl_set_blob(CURL *h, CURLoption o, const void *bytes, size_t count) {
  struct curl_blob blob = {(void *)bytes, count, CURL_BLOB_COPY};
  return curl_easy_setopt(h, o, count ? &blob : NULL);
}
static inline void ccurl_forget_certificates(CURL *h) {
  curl_easy_setopt(h, CURLOPT_CAINFO_BLOB, NULL);
  curl_easy_setopt(h, CURLOPT_SSLCERT_BLOB, NULL);
  curl_easy_setopt(h, CURLOPT_SSLKEY_BLOB, NULL);
}
static inline CURLcode ccurl_get_long(CURL *h, CURLINFO i, long *v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode ccurl_get_offset(CURL *h, CURLINFO i, curl_off_t *v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode ccurl_get_pointer(CURL *h, CURLINFO i, void **v) { return curl_easy_getinfo(h, i, v); }
static inline CURLMcode ccurl_multi_set_long(CURLM *m, CURLMoption o, long v) { return curl_multi_setopt(m, o, v); }
static inline CURLMcode ccurl_multi_set_pointer(CURLM *m, CURLMoption o, const void *v) { return curl_multi_setopt(m, o, v); }

typedef size_t (*ccurl_write_callback)(char *bytes, size_t size, size_t count, void *context);
static inline CURLcode ccurl_set_write(CURL *h, ccurl_write_callback f, void *context) {
  CURLcode r = curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, f);
  return r ? r : curl_easy_setopt(h, CURLOPT_WRITEDATA, context);
}
static inline CURLcode ccurl_set_header_sink(CURL *h, ccurl_write_callback f, void *context) {
  CURLcode r = curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, f);
  return r ? r : curl_easy_setopt(h, CURLOPT_HEADERDATA, context);
}
typedef curl_socket_t (*ccurl_open_callback)(void *context, curlsocktype purpose, struct curl_sockaddr *address);
static inline CURLcode ccurl_set_open_socket(CURL *h, ccurl_open_callback f, void *context) {
  CURLcode r = curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, f);
  return r ? r : curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, context);
}
typedef int (*ccurl_prerequest_callback)(void *context, char *remote, char *local, int remote_port, int local_port);
static inline CURLcode ccurl_set_prerequest(CURL *h, ccurl_prerequest_callback f, void *context) {
  CURLcode r = curl_easy_setopt(h, CURLOPT_PREREQFUNCTION, f);
  return r ? r : curl_easy_setopt(h, CURLOPT_PREREQDATA, context);
}
typedef int (*ccurl_close_callback)(void *context, curl_socket_t socket);
static inline CURLcode ccurl_set_close_socket(CURL *h, ccurl_close_callback f, void *context) {
  CURLcode r = curl_easy_setopt(h, CURLOPT_CLOSESOCKETFUNCTION, f);
  return r ? r : curl_easy_setopt(h, CURLOPT_CLOSESOCKETDATA, context);
}
typedef int (*ccurl_socket_callback)(CURL *easy, curl_socket_t socket, int what, void *context, void *socket_context);
typedef int (*ccurl_timer_callback)(CURLM *multi, long timeout_ms, void *context);
static inline void ccurl_multi_set_callbacks(CURLM *m, ccurl_socket_callback s, ccurl_timer_callback t, void *context) {
  curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, s);
  curl_multi_setopt(m, CURLMOPT_SOCKETDATA, context);
  curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, t);
  curl_multi_setopt(m, CURLMOPT_TIMERDATA, context);
}

/* The result sits in a union inside CURLMsg, which Swift imports without its case. */
static inline CURL *ccurl_next_done(CURLM *m, CURLcode *result) {
  int left;
  CURLMsg *message;
  while ((message = curl_multi_info_read(m, &left))) {
    if (message->msg == CURLMSG_DONE) {
      *result = message->data.result;
      return message->easy_handle;
    }
  }
  return 0;
}
#endif
