/* A provider that is never the bottleneck: what gateways are measured against.
 *
 * One thread and one epoll on 127.0.0.1; HTTP/1.1 with keep-alive. Every answer is a block of bytes made at the start:
 *
 *   POST .../chat/completions   OpenAI's protocol, whole, or in pieces where the body says "stream": true
 *   POST .../messages           Anthropic's protocol, likewise
 *   anything else               {"status":"ok"}
 *
 * An answer bills 24 input and 48 output tokens. It leaves in one write, --latency-ms after its request.
 *
 *   upstream [--port N] [--latency-ms N] [--pieces N]
 *
 * Port 0, the default, takes a free one; the port goes to standard output. A client that does not read what it asked
 * for is cut off, which its side counts as an error.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 8192, MOST_BYTES = 1 << 20, REPLY_BYTES = 1 << 16, EVENTS = 256 };
enum { OPENAI, ANTHROPIC, OPENAI_STREAM, ANTHROPIC_STREAM, HEALTH, REPLIES };

typedef struct { char bytes[REPLY_BYTES]; size_t length; } Reply;
typedef struct { bool open; unsigned generation; char *buffer; size_t length, capacity; } Connection;
typedef struct { long long at; int descriptor; unsigned generation; int reply; } Due; /* at: nanoseconds */

static Reply replies[REPLIES];
static Connection connections[MOST_CONNECTIONS]; /* by descriptor */
static Due waiting[MOST_CONNECTIONS * 4];        /* a ring; the delay is constant, so it stays sorted */
static size_t first, last;
static long long latency;                        /* nanoseconds */

#define TEXT \
  "Event sourcing keeps every state change as an immutable fact, so a run can be replayed, audited and resumed " \
  "after a crash. Snapshots bound replay time, and projections answer queries."
#define CHUNK \
  "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"gpt-4o-mini\"," \
  "\"system_fingerprint\":\"fp\",\"choices\":["

static void add(Reply *reply, const char *format, ...) {
  va_list values;
  va_start(values, format);
  reply->length += (size_t)vsnprintf(reply->bytes + reply->length, REPLY_BYTES - reply->length, format, values);
  va_end(values);
  if (reply->length >= REPLY_BYTES) { fputs("too many pieces\n", stderr); exit(2); }
}

static void whole(int reply, const char *body) {
  add(&replies[reply], "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n"
      "x-request-id: req_1\r\n\r\n%s", strlen(body), body);
}

static void event(int reply, const char *text) { add(&replies[reply], "%zx\r\n%s\r\n", strlen(text), text); }

static void begin_stream(int reply) {
  add(&replies[reply], "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
      "transfer-encoding: chunked\r\nx-request-id: req_1\r\n\r\n");
}

static void make_openai_stream(int pieces) {
  begin_stream(OPENAI_STREAM);
  event(OPENAI_STREAM, CHUNK "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n");
  for (int piece = 0; piece < pieces; piece++)
    event(OPENAI_STREAM, CHUNK "{\"index\":0,\"delta\":{\"content\":\" event sourced\"},\"finish_reason\":null}]}\n\n");
  event(OPENAI_STREAM, CHUNK "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
  event(OPENAI_STREAM, CHUNK "],\"usage\":{\"prompt_tokens\":24,\"completion_tokens\":48,\"total_tokens\":72}}\n\n");
  event(OPENAI_STREAM, "data: [DONE]\n\n");
  add(&replies[OPENAI_STREAM], "0\r\n\r\n");
}

static void make_anthropic_stream(int pieces) {
  begin_stream(ANTHROPIC_STREAM);
  event(ANTHROPIC_STREAM, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\","
        "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-3-haiku\",\"content\":[],\"stop_reason\":null,"
        "\"usage\":{\"input_tokens\":24,\"output_tokens\":1}}}\n\n");
  event(ANTHROPIC_STREAM, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
        "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n");
  for (int piece = 0; piece < pieces; piece++)
    event(ANTHROPIC_STREAM, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
          "\"delta\":{\"type\":\"text_delta\",\"text\":\" event sourced\"}}\n\n");
  event(ANTHROPIC_STREAM, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n");
  event(ANTHROPIC_STREAM, "event: message_delta\ndata: {\"type\":\"message_delta\","
        "\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":48}}\n\n");
  event(ANTHROPIC_STREAM, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
  add(&replies[ANTHROPIC_STREAM], "0\r\n\r\n");
}

static void make_replies(int pieces) {
  whole(HEALTH, "{\"status\":\"ok\"}");
  whole(OPENAI, "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1760000000,\"model\":\"gpt-4o-mini\","
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"" TEXT "\",\"refusal\":null,"
        "\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":24,"
        "\"completion_tokens\":48,\"total_tokens\":72,\"prompt_tokens_details\":{\"cached_tokens\":0,"
        "\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,"
        "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}},\"service_tier\":\"default\","
        "\"system_fingerprint\":\"fp\"}");
  whole(ANTHROPIC, "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-3-haiku\","
        "\"content\":[{\"type\":\"text\",\"text\":\"" TEXT "\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,"
        "\"usage\":{\"input_tokens\":24,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
        "\"output_tokens\":48}}");
  make_openai_stream(pieces);
  make_anthropic_stream(pieces);
}

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void cut(int descriptor) {
  Connection *connection = &connections[descriptor];
  if (!connection->open) return;
  close(descriptor);
  free(connection->buffer);
  *connection = (Connection){ .generation = connection->generation + 1 };
}

static void answer(int descriptor, int reply) {
  ssize_t sent = send(descriptor, replies[reply].bytes, replies[reply].length, MSG_NOSIGNAL);
  if (sent != (ssize_t)replies[reply].length) cut(descriptor);
}

static void answer_later(int descriptor, int reply) {
  size_t size = sizeof waiting / sizeof *waiting;
  if (last - first == size) { cut(descriptor); return; }
  waiting[last++ % size] = (Due){ now() + latency, descriptor, connections[descriptor].generation, reply };
}

static void answer_due(void) {
  size_t size = sizeof waiting / sizeof *waiting;
  for (long long at = now(); first < last && waiting[first % size].at <= at; first++) {
    Due due = waiting[first % size];
    Connection *connection = &connections[due.descriptor];
    if (connection->open && connection->generation == due.generation) answer(due.descriptor, due.reply);
  }
}

static void set_timer(int timer) {
  if (first == last) return;
  long long at = waiting[first % (sizeof waiting / sizeof *waiting)].at;
  struct itimerspec when = { .it_value = { at / 1000000000, at % 1000000000 } };
  timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static int reply_to(const char *head, const char *body, size_t length) {
  if (strncmp(head, "POST ", 5) != 0) return HEALTH;
  bool streamed = memmem(body, length, "\"stream\":true", 13) || memmem(body, length, "\"stream\": true", 14);
  const char *path_end = strchr(head + 5, ' ');
  bool anthropic = path_end && memmem(head, (size_t)(path_end - head), "/messages", 9);
  return anthropic ? (streamed ? ANTHROPIC_STREAM : ANTHROPIC) : (streamed ? OPENAI_STREAM : OPENAI);
}

/* The bytes of the whole request at the front, which is answered; 0 where more has to come. */
static size_t take_request(int descriptor, char *front, size_t length) {
  char *end = memmem(front, length, "\r\n\r\n", 4);
  if (!end) return 0;
  *end = 0; /* what follows is then not taken for a header */
  char *stated = strcasestr(front, "\r\ncontent-length:");
  bool chunked = strcasestr(front, "\r\ntransfer-encoding: chunked") != NULL;
  char *body = end + 4;
  size_t arrived = length - (size_t)(body - front), size = stated ? strtoul(stated + 17, NULL, 10) : 0;
  if (chunked) {
    char *stop = memmem(body, arrived, "0\r\n\r\n", 5);
    size = stop ? (size_t)(stop + 5 - body) : arrived + 1;
  }
  if (size <= arrived) {
    int reply = reply_to(front, body, size);
    if (latency && reply != HEALTH) answer_later(descriptor, reply);
    else answer(descriptor, reply);
    return (size_t)(body - front) + size;
  }
  *end = '\r';
  return 0;
}

static void read_from(int descriptor) {
  Connection *connection = &connections[descriptor];
  if (connection->capacity - connection->length < 4096) {
    connection->capacity = connection->capacity ? connection->capacity * 2 : 8192;
    connection->buffer = realloc(connection->buffer, connection->capacity);
    if (!connection->buffer) abort();
  }
  ssize_t read = recv(descriptor, connection->buffer + connection->length,
                      connection->capacity - connection->length - 1, 0);
  if (read < 0 && errno == EAGAIN) return;
  if (read <= 0 || connection->length + (size_t)read > MOST_BYTES) { cut(descriptor); return; }
  connection->length += (size_t)read;
  connection->buffer[connection->length] = 0;
  size_t used = 0, taken;
  while (connection->open && (taken = take_request(descriptor, connection->buffer + used, connection->length - used)))
    used += taken;
  if (!connection->open) return;
  connection->length -= used;
  memmove(connection->buffer, connection->buffer + used, connection->length);
}

static void watch(int epoll, int descriptor) {
  struct epoll_event event = { .events = EPOLLIN, .data.fd = descriptor };
  epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

static void accept_all(int epoll, int listening) {
  int one = 1, descriptor;
  while ((descriptor = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    if (descriptor >= MOST_CONNECTIONS) { close(descriptor); continue; }
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connections[descriptor].open = true;
    watch(epoll, descriptor);
  }
}

static int listen_on(int port) {
  int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((in_port_t)port) };
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listening, (struct sockaddr *)&address, size) || listen(listening, 1024)) { perror("listen"); exit(1); }
  getsockname(listening, (struct sockaddr *)&address, &size);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listening;
}

int main(int count, char **arguments) {
  int port = 0, pieces = 20;
  for (int at = 1; at + 1 < count; at += 2) {
    if (!strcmp(arguments[at], "--port")) port = atoi(arguments[at + 1]);
    else if (!strcmp(arguments[at], "--latency-ms")) latency = (long long)(atof(arguments[at + 1]) * 1e6);
    else if (!strcmp(arguments[at], "--pieces")) pieces = atoi(arguments[at + 1]);
    else { fprintf(stderr, "unknown option %s\n", arguments[at]); return 2; }
  }
  signal(SIGPIPE, SIG_IGN);
  make_replies(pieces);
  int listening = listen_on(port), epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  watch(epoll, listening);
  watch(epoll, timer);
  for (struct epoll_event events[EVENTS];;) {
    set_timer(timer);
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    for (int at = 0; at < ready; at++) {
      int descriptor = events[at].data.fd;
      unsigned long long expirations;
      if (descriptor == listening) accept_all(epoll, listening);
      else if (descriptor != timer) read_from(descriptor);
      else if (read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN) return 1;
    }
    answer_due();
  }
}
