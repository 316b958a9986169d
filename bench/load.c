/* A closed loop of keep-alive connections that POST a message; bench/load.py compiles and starts it.
 *
 *   load HOST PORT PATH SECONDS LEAST FIRST FILE:CONNECTIONS [FILE:CONNECTIONS]
 *
 * Each connection sends its message, waits for the whole answer, and sends again. Wherever the file holds the marker
 * number, or the base64 of it, a number of the request's own is sent in its place, so that no push is a redelivery.
 * The file is read once and sent by writev: a body of 100 MB costs the generator no copy.
 * After SECONDS no request is begun, once every class has had LEAST answers; what is under way is waited for.
 * An answer counts when its status is 200 and its body holds the acknowledgement. Prints JSON, one object a class.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MARKER "900000000000"
#define MARKER_CODED "OTAwMDAwMDAwMDAw"
#define WANTED "JobDocumentTransmitResultAck"
#define PIECES 64
#define ANSWER_BYTES 65536
#define PATIENCE 120.0 /* seconds for one answer, and for those under way at the end */

enum kind { TEXT, DIGITS, CODED };
enum state { IDLE, WAITING, CONNECTING, SENDING, RECEIVING };

struct piece {
    enum kind kind;
    const char *at;
    size_t length;
};

struct class {
    size_t body_bytes;
    struct piece pieces[PIECES];
    int n_pieces, connections;
    double *latencies, last;
    size_t answers, room, errors, connects;
    char first_error[240];
};

struct connection {
    struct class *class;
    enum state state;
    int fd, fresh, iov_at, iov_n;
    double began, retry_at;
    char head[512], digits[13], coded[17], answer[ANSWER_BYTES + 1];
    size_t got;
    struct iovec iov[PIECES + 1];
};

static struct sockaddr_in address;
static const char *host, *path;
static unsigned long long next_number;
static int polling, stopping;

static void die(const char *what) {
    perror(what);
    exit(2);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void base64_of_digits(const char *digits, char *coded) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < 12; i += 3, coded += 4) {
        unsigned three = digits[i] << 16 | digits[i + 1] << 8 | digits[i + 2];
        for (int k = 0; k < 4; k++) coded[k] = letters[three >> (18 - 6 * k) & 63];
    }
    *coded = 0;
}

static void add_piece(struct class *c, enum kind kind, const char *at, size_t length) {
    if (c->n_pieces == PIECES) {
        fprintf(stderr, "the message has too many marker numbers\n");
        exit(2);
    }
    c->pieces[c->n_pieces++] = (struct piece){kind, at, length};
}

static void read_message(struct class *c, const char *file) {
    struct stat about;
    int fd = open(file, O_RDONLY);
    if (fd < 0 || fstat(fd, &about)) die(file);
    const char *at = mmap(NULL, about.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (at == MAP_FAILED) die(file);
    close(fd);
    const char *end = at + about.st_size;
    c->body_bytes = about.st_size;
    while (at < end) {
        const char *plain = memmem(at, end - at, MARKER, strlen(MARKER));
        const char *coded = memmem(at, (plain ? plain : end) - at, MARKER_CODED, strlen(MARKER_CODED));
        const char *found = coded ? coded : plain;
        size_t length = coded ? strlen(MARKER_CODED) : strlen(MARKER);
        add_piece(c, TEXT, at, (found ? found : end) - at);
        if (!found) break;
        add_piece(c, coded ? CODED : DIGITS, NULL, length);
        at = found + length;
    }
}

static void watch(struct connection *k, unsigned events, int how) {
    struct epoll_event event = {.events = events, .data.ptr = k};
    if (epoll_ctl(polling, how, k->fd, &event)) die("epoll_ctl");
}

static void begin_request(struct connection *k) {
    struct class *c = k->class;
    snprintf(k->digits, sizeof k->digits, "%012llu", next_number++ % 1000000000000ULL);
    base64_of_digits(k->digits, k->coded);
    k->iov[0] = (struct iovec){k->head, 0};
    k->iov[0].iov_len = snprintf(k->head, sizeof k->head,
                                 "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: text/xml; charset=utf-8\r\n"
                                 "SOAPAction: \"basicInvoke\"\r\nContent-Length: %zu\r\n\r\n",
                                 path, host, ntohs(address.sin_port), c->body_bytes);
    for (int i = 0; i < c->n_pieces; i++) {
        const struct piece *p = &c->pieces[i];
        const char *at = p->kind == TEXT ? p->at : p->kind == DIGITS ? k->digits : k->coded;
        k->iov[i + 1] = (struct iovec){(void *)at, p->length};
    }
    k->iov_at = 0;
    k->iov_n = c->n_pieces + 1;
    k->got = 0;
    k->state = SENDING;
}

static void connect_anew(struct connection *k) {
    int on = 1;
    k->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (k->fd < 0) die("socket");
    setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    k->class->connects++;
    k->fresh = 1;
    k->state = CONNECTING;
    if (connect(k->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) die("connect");
    watch(k, EPOLLOUT, EPOLL_CTL_ADD);
}

static void hang_up(struct connection *k) {
    if (k->fd >= 0) close(k->fd);
    k->fd = -1;
}

/* What went wrong is counted, its first case kept; the connection begins anew a moment later. */
static void fail(struct connection *k, const char *what) {
    struct class *c = k->class;
    if (!c->errors++) {
        k->answer[k->got] = 0;
        snprintf(c->first_error, sizeof c->first_error, "%s: %.200s", what, k->answer);
        for (char *p = c->first_error; *p; p++)
            if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\') *p = ' ';
    }
    hang_up(k);
    k->state = stopping ? IDLE : WAITING;
    k->retry_at = now() + 0.05;
}

/* The length of the answer that is in so far: 0 not whole yet, -1 until the connection ends. */
static long whole_answer(const char *answer, size_t got, const char **body) {
    const char *end = strstr(answer, "\r\n\r\n"), *found;
    if (!end) return 0;
    *body = end + 4;
    size_t head = *body - answer;
    found = strcasestr(answer, "\r\nContent-Length:");
    if (found && found < end) {
        size_t whole = head + strtoul(found + 17, NULL, 10);
        return got >= whole ? (long)whole : 0;
    }
    found = strcasestr(answer, "\r\nTransfer-Encoding: chunked");
    if (!found || found > end) return -1;
    for (const char *at = *body; at < answer + got;) {
        char *line_end;
        size_t size = strtoul(at, &line_end, 16);
        line_end = strstr(line_end, "\r\n");
        if (!line_end) return 0;
        at = line_end + 2 + size + 2;
        if (!size) return at <= answer + got ? at - answer : 0;
    }
    return 0;
}

static void answered(struct connection *k, const char *body, int closes) {
    struct class *c = k->class;
    double t = now();
    int status = k->got > 12 && !strncmp(k->answer, "HTTP/1.", 7) ? atoi(k->answer + 9) : 0;
    if (k->state == SENDING) return fail(k, "answered before the message was sent");
    if (status != 200) return fail(k, "not 200");
    if (!strstr(body, WANTED)) return fail(k, "no acknowledgement");
    if (c->answers == c->room) {
        c->room = c->room ? 2 * c->room : 4096;
        c->latencies = realloc(c->latencies, c->room * sizeof *c->latencies);
        if (!c->latencies) die("realloc");
    }
    c->latencies[c->answers++] = t - k->began;
    c->last = t;
    k->fresh = 0;
    if (closes) hang_up(k);
    if (stopping) {
        hang_up(k);
        k->state = IDLE;
        return;
    }
    k->began = t;
    if (k->fd < 0) return connect_anew(k);
    begin_request(k);
    watch(k, EPOLLOUT | EPOLLIN, EPOLL_CTL_MOD);
}

static void send_on(struct connection *k) {
    while (k->iov_at < k->iov_n) {
        ssize_t sent = writev(k->fd, k->iov + k->iov_at, k->iov_n - k->iov_at);
        if (sent < 0 && errno == EAGAIN) return;
        if (sent < 0) return fail(k, strerror(errno));
        while (sent > 0 && (size_t)sent >= k->iov[k->iov_at].iov_len) sent -= k->iov[k->iov_at++].iov_len;
        if (sent > 0) {
            k->iov[k->iov_at].iov_base = (char *)k->iov[k->iov_at].iov_base + sent;
            k->iov[k->iov_at].iov_len -= sent;
        }
        while (k->iov_at < k->iov_n && !k->iov[k->iov_at].iov_len) k->iov_at++;
    }
    k->state = RECEIVING;
    watch(k, EPOLLIN, EPOLL_CTL_MOD);
}

static void receive_on(struct connection *k) {
    ssize_t n = read(k->fd, k->answer + k->got, ANSWER_BYTES - k->got);
    const char *body = "";
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) return fail(k, strerror(errno));
    k->got += n;
    k->answer[k->got] = 0;
    long whole = whole_answer(k->answer, k->got, &body);
    if (!n && k->got && whole < 0) return answered(k, body, 1);
    if (!n && !k->got && !k->fresh) { /* a server may close between two requests: not its error, but it costs time */
        hang_up(k);
        return connect_anew(k);
    }
    if (!n) return fail(k, "connection closed");
    if (whole > 0) {
        const char *close_word = strcasestr(k->answer, "\r\nConnection: close");
        return answered(k, body, close_word && close_word < body);
    }
    if (k->got == ANSWER_BYTES) fail(k, "answer too long");
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(const struct class *c, double share) {
    if (!c->answers) return 0;
    size_t at = (size_t)(share * (c->answers - 1) + 0.5);
    return 1000 * c->latencies[at];
}

int main(int argc, char **argv) {
    if (argc < 8 || argc > 9) {
        fprintf(stderr, "load HOST PORT PATH SECONDS LEAST FIRST FILE:CONNECTIONS [FILE:CONNECTIONS]\n");
        return 2;
    }
    static struct class classes[2];
    int n_classes = argc - 7, n = 0, at = 0;
    double seconds = atof(argv[4]);
    size_t least = strtoul(argv[5], NULL, 10);
    host = argv[1];
    path = argv[3];
    next_number = strtoull(argv[6], NULL, 10);
    address.sin_family = AF_INET;
    address.sin_port = htons(atoi(argv[2]));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) die(host);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < n_classes; i++) {
        char *colon = strrchr(argv[7 + i], ':');
        if (!colon) die(argv[7 + i]);
        *colon = 0;
        classes[i].connections = atoi(colon + 1);
        read_message(&classes[i], argv[7 + i]);
        n += classes[i].connections;
    }
    struct connection *all = calloc(n, sizeof *all);
    polling = epoll_create1(EPOLL_CLOEXEC);
    if (!all || polling < 0) die("epoll_create1");

    double start = now();
    for (int i = 0; i < n_classes; i++)
        for (int j = 0; j < classes[i].connections; j++, at++) {
            all[at].class = &classes[i];
            all[at].began = now();
            connect_anew(&all[at]);
        }
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(polling, events, 256, 20);
        if (ready < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct connection *k = events[i].data.ptr;
            if (k->fd < 0) continue;
            if (k->state == CONNECTING) {
                int error = 0;
                socklen_t length = sizeof error;
                getsockopt(k->fd, SOL_SOCKET, SO_ERROR, &error, &length);
                k->got = 0;
                if (error) {
                    fail(k, strerror(error));
                    continue;
                }
                begin_request(k);
                watch(k, EPOLLOUT | EPOLLIN, EPOLL_CTL_MOD);
                send_on(k);
                continue;
            }
            if (k->state == SENDING && events[i].events & EPOLLOUT) send_on(k);
            if (k->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive_on(k);
        }
        double t = now();
        int enough = t - start > seconds, busy = 0;
        for (int i = 0; i < n_classes; i++)
            if (classes[i].answers < least && t - start < 10 * seconds) enough = 0;
        stopping |= enough;
        for (int i = 0; i < n; i++) {
            struct connection *k = &all[i];
            if (k->state == WAITING && stopping) k->state = IDLE;
            if (k->state == WAITING && t > k->retry_at) {
                k->began = t;
                connect_anew(k);
            }
            if (k->state >= CONNECTING && t - k->began > PATIENCE) fail(k, "no answer in time");
            busy += k->state != IDLE;
        }
        if (stopping && !busy) break;
    }
    printf("[");
    for (int i = 0; i < n_classes; i++) {
        struct class *c = &classes[i];
        double took = c->answers ? c->last - start : now() - start;
        qsort(c->latencies, c->answers, sizeof *c->latencies, ascending);
        printf("%s{\"requests\": %zu, \"seconds\": %.4f, \"rate\": %.4f, \"errors\": %zu, \"first_error\": \"%s\", "
               "\"connects\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}",
               i ? ", " : "", c->answers, took, c->answers / took, c->errors, c->first_error, c->connects,
               percentile(c, 0.5), percentile(c, 0.99), percentile(c, 1));
    }
    printf("]\n");
    return 0;
}
